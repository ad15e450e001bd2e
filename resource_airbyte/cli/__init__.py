"""The command line: flags in, a Result out. One file per verb group; one renderer prints what verbs return."""
