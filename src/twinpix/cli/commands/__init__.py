"""The commands, one file each: parse the arguments, run one use case, write the result."""
