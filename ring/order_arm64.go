//go:build arm64 && !noasm && !race

package ring

// loadFence orders earlier loads before later loads: an acquire load alone does not
// hold back the loads before it.
func loadFence()
