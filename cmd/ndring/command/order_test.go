package command

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// Check that producer, stage and verifying consumer meet in each of the six orders
// of starting, move every frame, end by themselves with exit code 0 and leave no
// file.
func TestStartOrders(t *testing.T) {
	for i, order := range [][]string{
		{"produce", "stage", "consume"}, {"produce", "consume", "stage"}, {"stage", "produce", "consume"},
		{"stage", "consume", "produce"}, {"consume", "produce", "stage"}, {"consume", "stage", "produce"},
	} {
		frames := 20_000
		if i == 0 && !testing.Short() && !raceEnabled || full() && !raceEnabled {
			frames = 1_000_000
		}
		t.Run(strings.Join(order, "-"), func(t *testing.T) { inOrder(t, order, frames) })
	}
}

func inOrder(t *testing.T, order []string, frames int) {
	dir := ringDir(t)
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	args := map[string][]string{
		"produce": {"produce", "x", "--count", fmt.Sprint(frames)},
		"stage":   {"stage", "--in", "x", "--out", "y", "--kernel", "arcsec"},
		"consume": {"consume", "y", "--verify"},
	}
	said := map[string]*bytes.Buffer{}
	cmds := map[string]*exec.Cmd{}
	for _, name := range order {
		cmd, stderr := program(ctx, t, dir, args[name]...), new(bytes.Buffer)
		cmd.Stderr = stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		said[name], cmds[name] = stderr, cmd
	}
	for _, name := range order {
		if err := cmds[name].Wait(); err != nil {
			t.Errorf("%s: %v\n%s", name, err, said[name])
		}
	}
	if want := fmt.Sprintf("verified %d PRIMARY, %d DELTA", frames, frames-1); !strings.Contains(said["consume"].String(), want) {
		t.Errorf("consume said %q, want %q", said["consume"], want)
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) > 0 {
		t.Errorf("left in the ring directory: %v, %v", left, err)
	}
}
