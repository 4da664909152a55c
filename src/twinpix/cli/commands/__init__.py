"""The commands, one file each: parse, one use case, one writer."""
