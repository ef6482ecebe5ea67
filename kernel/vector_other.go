//go:build !amd64 || noasm

package kernel

// bestLevel returns the only level there is without assembly.
func bestLevel() level { return levelGo }

// atLevel returns k, in plain Go as it is.
func atLevel(k Kernel, _ level) Kernel { return k }
