//go:build amd64 && !noasm && !race

package ring

// loadFence orders earlier loads before later atomic loads. Loads stay in order on
// amd64, and the compiler moves none past an atomic one.
func loadFence() {}
