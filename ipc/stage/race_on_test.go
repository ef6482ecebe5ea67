//go:build race

package stage_test

// raceEnabled: the race detector takes heap memory of its own.
const raceEnabled = true
