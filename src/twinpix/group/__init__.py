"""From verified matches to groups: members, keepers, relations."""
