//go:build !amd64 || noasm

package kernel

// bestLevel returns the only level there is without assembly.
func bestLevel() level { return levelGo }

// vectorArcsec returns arcsec in plain Go.
func vectorArcsec(a angle, _ level) Kernel { return &arcsec{angle: a} }
