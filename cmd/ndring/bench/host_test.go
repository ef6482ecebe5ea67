package bench

import (
	"errors"
	"slices"
	"testing"
)

// Check that the kernel's list of CPUs is read, ranges and all, and that
// what is not one is left out.
func TestParseCPUList(t *testing.T) {
	for text, want := range map[string][]int{
		"0\n":       {0},
		"0,4\n":     {0, 4},
		"0-2,8-9\n": {0, 1, 2, 8, 9},
		"":          nil,
		"x,3,4-y":   {3},
	} {
		if got := parseCPUList(text); !slices.Equal(got, want) {
			t.Errorf("%q is %v, want %v", text, got, want)
		}
	}
}

// Check that two sides that spin are not put on one CPU: without a second one
// the figure is skipped.
func TestPairApartNeedsTwoCPUs(t *testing.T) {
	if _, err := (&Host{CPUs: []int{3}}).Pair("r", Apart); !errors.Is(err, ErrSkipped) {
		t.Errorf("error is %v, want ErrSkipped", err)
	}
	seats, err := (&Host{CPUs: []int{3, 5}}).Pair("r", Apart)
	if err != nil || !slices.Equal(seats, []Seat{{"r", 3}, {"r", 5}}) {
		t.Errorf("seats are %v, %v", seats, err)
	}
}

// Check that two sides are pinned together when there is a choice of CPUs.
func TestPairTogether(t *testing.T) {
	seats, err := (&Host{CPUs: []int{3, 5}}).Pair("r", Together)
	if err != nil || !slices.Equal(seats, []Seat{{"r", 3}, {"r", 3}}) {
		t.Errorf("seats are %v, %v", seats, err)
	}
	seats, err = (&Host{}).Pair("r", Together)
	if err != nil || !slices.Equal(seats, []Seat{{"r", Unpinned}, {"r", Unpinned}}) {
		t.Errorf("seats are %v, %v", seats, err)
	}
}
