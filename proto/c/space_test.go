package c

import (
	"os/exec"
	"testing"
)

// Check the looks at the limits of control groups, over a made-up tree of their files,
// with the sanitizers watching.
func TestSpace(t *testing.T) {
	eachSanitizer(t, func(t *testing.T, c compiler) {
		program := sanitize(t, c, "tests/space.c", addresses(c))
		if out, err := exec.Command(program, t.TempDir()).CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	})
}
