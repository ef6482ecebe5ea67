//go:build linux

package conformance

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// Check that the layout and the protocol as they are written down suffice for a consumer
// without NumPy and without any code of this project, behind every language's producer.
func TestNewcomer(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		const missing = "Python 3 is missing: apt-get install python3"
		if os.Getenv("NDRING_REQUIRE_ALL") != "" {
			t.Fatal(missing)
		}
		t.Skip(missing)
	}
	script := filepath.Join("testdata", "newcomer.py")
	for sort, arguments := range sorts() {
		want := expected(t, arguments)
		for _, producer := range languages() {
			t.Run(producer.name+" "+sort, func(t *testing.T) {
				t.Parallel()
				dir := privateDir(t)
				r := start(t, []string{python, "-I", "-S", "-B", script}, dir, "m")
				start(t, producer.producer(t), append([]string{"m", "--dir", dir}, arguments...)...).succeed(t)
				got := r.succeed(t)
				if got != counts(t, want) {
					t.Errorf("it read %q, want %q", got, counts(t, want))
				}
			})
		}
	}
}

// counts is the part of a consumer's line that the newcomer prints.
func counts(t *testing.T, line string) string {
	t.Helper()
	var frames, bytes, first, gaps, torn, checksum uint64
	if _, err := fmt.Sscanf(line, "frames=%d bytes=%d first=%d gaps=%d torn=%d checksum=%x", &frames, &bytes, &first, &gaps, &torn, &checksum); err != nil {
		t.Fatalf("%q: %v", line, err)
	}
	return fmt.Sprintf("frames=%d bytes=%d checksum=%016x", frames, bytes, checksum)
}
