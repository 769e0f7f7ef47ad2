"""The commands `ps`, `images`, `df` and `logs`: what runs in the daemon of an injected pod."""
