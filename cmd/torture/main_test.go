//go:build linux

package main

import (
	"bytes"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ndring/ndring/cmd/torture/lab"
	"github.com/ndring/ndring/cmd/torture/role"
)

// TestMain lets the test binary play the parts of the laboratory's processes.
func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == lab.PlayArgument {
		os.Exit(role.Play(os.Args[2]))
	}
	os.Exit(m.Run())
}

// shortRun is how long harm is done in an ordinary test; make torture does it for longer.
const shortRun = 4 * time.Second

// program builds ndring, for the rooms with stages and bridges.
func program(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "ndring")
	if out, err := exec.Command("go", "build", "-o", path, "../ndring").CombinedOutput(); err != nil {
		t.Fatalf("build ndring: %v\n%s", err, out)
	}
	return path
}

// Check that kills, stops and cuts of every kind of process cost no frame, leave
// nothing and let nobody wait for ever. A busy machine may need more than one run to
// kill one of each kind.
func TestLaboratory(t *testing.T) {
	ndring := program(t)
	var text bytes.Buffer
	for missing := "all"; missing != ""; missing = notKilled(text.String()) {
		l := &lab.Lab{
			Seed: rand.Uint64(), Duration: shortRun, Verbose: true, Progress: t.Output(),
			Rooms: []string{"writers", "readers", "all", "gate", "laps", "stage", "bridge"}, Program: ndring,
		}
		report, err := l.Run(t.Context().Done())
		if err != nil {
			t.Fatal(err)
		}
		report.Write(&text)
		if len(report.Faults) > 0 {
			t.Fatalf("%d faults with seed %d\n%s", report.Count, l.Seed, &text)
		}
	}
	t.Log(&text)
}

// notKilled is a kind of process of which a report counts no kill, or none.
func notKilled(report string) string {
	for _, kind := range []string{"writer", "reader", "observer", "stage", "bridge", "client"} {
		if !strings.Contains(report, "\n"+kind+"  ") {
			return kind
		}
	}
	return ""
}

// Check that flags which make no sense are refused before anything starts.
func TestFlags(t *testing.T) {
	for _, args := range [][]string{{"-rooms", "cellar"}, {"-duration", "soon"}, {"-wings"}} {
		if err := run(args); err == nil {
			t.Errorf("%q was accepted", args)
		}
	}
}
