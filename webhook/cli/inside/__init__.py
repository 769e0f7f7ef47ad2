"""The commands `ps`, `images`, `df`, `top` and `logs`: what runs in the daemon of a pod."""
