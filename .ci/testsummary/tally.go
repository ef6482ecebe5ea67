package main

import "fmt"

// A testID names a test, or with an empty test a package that failed by
// itself: it did not build, or died.
type testID struct{ pkg, test string }

// A tally counts tests, subtests included.
type tally struct{ passed, failed, skipped int }

func (t tally) String() string {
	return fmt.Sprintf("%d passed, %d failed, %d skipped", t.passed, t.failed, t.skipped)
}

func count(outcomes map[testID]string) tally {
	var t tally
	for _, outcome := range outcomes {
		switch outcome {
		case "fail":
			t.failed++
		case "pass":
			t.passed++
		case "skip":
			t.skipped++
		}
	}
	return t
}

// worsen merges the outcome of one more run: fail beats pass beats skip.
func worsen(outcomes map[testID]string, id testID, outcome string) {
	rank := func(o string) int {
		switch o {
		case "fail":
			return 3
		case "pass":
			return 2
		case "skip":
			return 1
		}
		return 0
	}
	if rank(outcome) > rank(outcomes[id]) {
		outcomes[id] = outcome
	}
}
