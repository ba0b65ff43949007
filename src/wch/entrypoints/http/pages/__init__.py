"""Pages for people: the sandbox's phone and the operators' console; what they load is shipped as it is."""
