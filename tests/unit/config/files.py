"""Configuration files that several levels of the tests read."""

#: Five errors of five kinds: the path of each, as both `config check` and Helm name it.
FIVE_ERRORS = {
    "profiles": {
        "large": {
            "mode": "pod",  # a word that is none of the accepted ones
            "storage": {"sizeLimit": "12Q"},  # a string that does not match its pattern
            "daemon": {"mtu": "1500"},  # a string for a number
            "startTimeout": 900,  # a number out of its bounds
            "mirrorMount": True,  # a misspelt key
        }
    }
}
