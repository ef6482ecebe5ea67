//go:build linux

package conformance

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/ndring/ndring/ipc"
	"github.com/ndring/ndring/proto"
	"github.com/ndring/ndring/ring"
)

// Check that a producer that can make no file in its directory says so by the same name
// in every language.
func TestNoFileCanBeMade(t *testing.T) {
	said := map[string]string{"go": ipc.ErrDir.Error(), "c": "ERR_DIR", "python": "DirError"}
	for _, l := range languages() {
		t.Run(l.name, func(t *testing.T) {
			p := start(t, l.producer(t), "x", "--dir", "/proc")
			p.await(t)
			if got := p.err.String(); p.cmd.ProcessState.Success() || !strings.Contains(got, said[l.name]) || !strings.Contains(got, "/proc") {
				t.Errorf("%v, %q, want %q and the directory", p.cmd.ProcessState, got, said[l.name])
			}
		})
	}
}

// saysOnce checks what a consumer says that finds no slot in ring x: which ring, how many
// slots, the code, and the cause no more than once.
func saysOnce(t *testing.T, client language, dir string) {
	t.Helper()
	p := start(t, client.consumer(t), "x", "--dir", dir)
	p.await(t)
	lines := strings.Split(strings.TrimSpace(p.err.String()), "\n")
	said := lines[len(lines)-1]
	for _, part := range []string{`ring ["']?x["']?: `, fmt.Sprintf("all %d slots are taken", proto.DefaultSlots), fmt.Sprintf(`\(code %d\)`, proto.CodeTableFull)} {
		if found := regexp.MustCompile(part).FindAllString(said, -1); len(found) != 1 {
			t.Errorf("a consumer in %s says %q, want %s once", client.name, said, part)
		}
	}
	if n := strings.Count(said, ring.ErrTableFull.Error()); n > 1 {
		t.Errorf("a consumer in %s says %q, the cause %d times", client.name, said, n)
	}
}

// Check that control characters in a name that is not usable are spelled, alike in every
// language: they do nothing to a terminal and make no line of a log.
func TestNamesAreSpelled(t *testing.T) {
	const bad, spelled = "a\n\t\x1b[2J\x7f\\b", `a\n\t\x1b[2J\x7f\\b`
	for _, l := range languages() {
		t.Run(l.name, func(t *testing.T) {
			t.Parallel()
			dir := privateDir(t)
			for _, p := range []*process{
				start(t, l.producer(t), bad, "--dir", dir),
				start(t, l.consumer(t), bad, "--dir", dir),
				start(t, l.consumer(t), "x", "--dir", dir, "--name", bad),
			} {
				p.await(t)
				if got := p.err.String(); p.cmd.ProcessState.Success() || strings.Contains(got, "a\n\t") || !strings.Contains(got, spelled) {
					t.Errorf("%q: %v, %q, want %q", p.cmd.Args, p.cmd.ProcessState, got, spelled)
				}
			}
		})
	}
}

// Check that who is refused by a producer in any language learns of the values: who has
// the name, which positions there are, how many slots.
func TestRefusalsSayWhich(t *testing.T) {
	for _, l := range languages() {
		t.Run(l.name, func(t *testing.T) {
			t.Parallel()
			dir := privateDir(t)
			w := start(t, l.producer(t), "x", "--dir", dir, "--until", "3")
			var readers []*ipc.Reader
			dial := func(cfg ipc.ReaderConfig) error {
				cfg.Dir = dir
				r, err := ipc.Dial(t.Context(), "x", cfg)
				if err == nil {
					readers = append(readers, r)
				}
				return err
			}
			if err := dial(ipc.ReaderConfig{Name: "bob"}); err != nil {
				t.Fatal(err)
			}
			for _, c := range []struct {
				reader ipc.ReaderConfig
				want   string
			}{
				{ipc.ReaderConfig{Name: "bob"}, `bob`},
				{ipc.ReaderConfig{Name: "bob"}, fmt.Sprint("pid ", os.Getpid())},
				{ipc.ReaderConfig{Start: proto.StartPosition, Position: 13}, "position 13, the ring holds 0 to "},
			} {
				if err := dial(c.reader); err == nil || !strings.Contains(err.Error(), c.want) {
					t.Errorf("%+v: %v, want %q", c.reader, err, c.want)
				}
			}
			var err error
			for n := 1; err == nil && n <= proto.DefaultSlots; n++ {
				err = dial(ipc.ReaderConfig{})
			}
			if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("all %d slots are taken", proto.DefaultSlots)) {
				t.Errorf("one reader too many: %v", err)
			}
			for _, client := range languages() {
				saysOnce(t, client, dir)
			}
			for _, r := range readers {
				if err := r.Close(); err != nil {
					t.Error(err)
				}
			}
			w.succeed(t)
		})
	}
}
