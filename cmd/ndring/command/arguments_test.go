package command

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/urfave/cli/v2"
)

// Check for every flag of every command that it is found after the positional
// argument as well as before it, in each notation.
func TestFlagsFirst(t *testing.T) {
	all := commands()
	for _, cmd := range all {
		if cmd.SkipFlagParsing {
			continue
		}
		for _, f := range cmd.Flags {
			for _, name := range f.Names() {
				checkFlag(t, all, cmd, f, name)
			}
		}
	}
}

func checkFlag(t *testing.T, all []*cli.Command, cmd *cli.Command, f cli.Flag, name string) {
	t.Helper()
	forms := [][]string{{"--" + name + "=1"}, {"-" + name + "=1"}}
	if _, isBool := f.(*cli.BoolFlag); isBool {
		forms = append(forms, []string{"--" + name})
	} else {
		forms = append(forms, []string{"--" + name, "1"}, []string{"--" + name, "-1"})
	}
	for _, form := range forms {
		want := append(append([]string{"ndring", cmd.Name}, form...), "x")
		before := slices.Clone(want)
		after := append([]string{"ndring", cmd.Name, "x"}, form...)
		for _, args := range [][]string{before, after} {
			if got, err := flagsFirst(all, args); err != nil || !slices.Equal(got, want) {
				t.Errorf("flagsFirst(%q) = %q, %v, want %q", args, got, err, want)
			}
		}
	}
}

// Check that what stands behind "--" is no flag, that numbers are none, and that a
// flag without its value is an error.
func TestFlagsFirstEdges(t *testing.T) {
	all := commands()
	for text, want := range map[string]string{
		"ndring consume x -- --verify":    "ndring consume -- x --verify",
		"ndring consume -5 --verify":      "ndring consume --verify -5",
		"ndring":                          "ndring",
		"ndring --version --json":         "ndring version --json",
		"ndring nothing x --flag":         "ndring nothing x --flag",
		"ndring help consume":             "ndring help consume",
		"ndring __complete x --verify":    "ndring __complete x --verify",
		"ndring consume x -":              "ndring consume x -",
		"ndring consume x --unknown y":    "ndring consume --unknown x y",
		"ndring stage --offset -3 --list": "ndring stage --offset -3 --list",
	} {
		got, err := flagsFirst(all, strings.Fields(text))
		if err != nil || strings.Join(got, " ") != want {
			t.Errorf("flagsFirst(%q) = %q, %v, want %q", text, got, err, want)
		}
	}
	_, err := flagsFirst(all, []string{"ndring", "consume", "x", "--count"})
	if usage := (usageError{}); !errors.As(err, &usage) {
		t.Errorf("a flag without value: %v, want a usage error", err)
	}
}

// Check that the pace holds the rate on average and ends with its context.
func TestPace(t *testing.T) {
	p := newPace(0)
	for range 1000 {
		if err := p.wait(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	p = newPace(2000)
	for range 21 {
		if err := p.wait(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if took := time.Since(p.started); took < 10*time.Millisecond {
		t.Errorf("21 frames at 2000 a second took %v, want at least 10 ms", took)
	}
}
