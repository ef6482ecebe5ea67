//go:build linux

package lab

import (
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ndring/ndring/cmd/torture/history"
	"github.com/ndring/ndring/cmd/torture/page"
	"github.com/ndring/ndring/cmd/torture/role"
)

// TestMain lets the test binary play the parts of the laboratory's processes.
func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == PlayArgument {
		os.Exit(role.Play(os.Args[2]))
	}
	os.Exit(m.Run())
}

// Check that the plans of an actor follow from seed, name and life alone.
func TestSchedule(t *testing.T) {
	plans := func(seed uint64, actor string) []plan {
		s := schedule{stops: true, cuts: true}
		s.begin(seed, actor, true)
		var all []plan
		for life := range uint32(200) {
			all = append(all, s.of(life))
		}
		return all
	}
	first := plans(7, "a")
	if !slices.Equal(first, plans(7, "a")) {
		t.Error("the same seed gave other plans")
	}
	if slices.Equal(first, plans(8, "a")) || slices.Equal(first, plans(7, "b")) {
		t.Error("another seed or actor gave the same plans")
	}
	var early, aimed, still, stopped, cut int
	for _, p := range first {
		early, aimed, still = early+count(p.early), aimed+count(p.aim != 0), still+count(p.still)
		stopped, cut = stopped+count(p.stop > 0), cut+count(p.cut)
	}
	for what, n := range map[string]int{"early": early, "aimed": aimed, "asleep": still, "stopped": stopped, "cut": cut} {
		if n == 0 || n == len(first) {
			t.Errorf("%d of %d plans are %s", n, len(first), what)
		}
	}
}

func count(b bool) int {
	if b {
		return 1
	}
	return 0
}

// ward is a room that runs until the test says done, and what it found.
func ward(t *testing.T, build func(*room)) (r *room, leave func() []history.Fault) {
	t.Helper()
	l := &Lab{Seed: 1, Stuck: DefaultStuck}
	var err error
	if l.null, err = os.OpenFile(os.DevNull, os.O_RDWR, 0); err != nil {
		t.Fatal(err)
	}
	if r, err = l.newRoom("ward"); err != nil {
		t.Fatal(err)
	}
	build(r)
	if err := r.open(); err != nil {
		t.Fatal(err)
	}
	l.rooms = append(l.rooms, r)
	done, over := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(over)
		r.run(done)
	}()
	return r, func() []history.Fault {
		close(done)
		<-over
		l.clear()
		return l.report(0).Faults
	}
}

// quiet is a cast to which nothing happens.
func quiet(r *room) {
	r.addWriter((&actor{name: "writer", part: role.Part{Capacity: smallRing}}).spare())
	r.addReader(reader("reads", history.Named).spare())
}

func (r *room) await(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for end := time.Now().Add(DefaultStuck); !condition(); time.Sleep(tick) {
		if time.Now().After(end) {
			t.Fatalf("%s did not come about; %s", what, r.describe())
		}
	}
}

// Check that a process killed by somebody else, and a file left in the directory, are
// found.
func TestFaultsOfARoom(t *testing.T) {
	r, leave := ward(t, quiet)
	r.await(t, "reading", func() bool { return r.cast[1].page.Beat() > 0 })
	if err := os.WriteFile(r.dir+"/left", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	found := leave()
	if len(found) != 1 || found[0].Sort != history.Residue || !strings.Contains(found[0].Text, "left") {
		t.Errorf("found %v, want the file", found)
	}
	if _, err := os.Stat(r.dir); !os.IsNotExist(err) {
		t.Error("the room's directory is still there")
	}

	r, leave = ward(t, quiet)
	r.await(t, "reading", func() bool { return r.cast[1].page.Beat() > 0 })
	if err := unix.Kill(r.cast[1].proc.Pid, unix.SIGTERM); err != nil {
		t.Fatal(err)
	}
	<-r.stop
	if found = leave(); len(found) == 0 || !strings.Contains(found[0].Text, "given up") {
		t.Errorf("found %v, want that the room was given up", found)
	}
	if left := children(); len(left) > 0 {
		t.Errorf("processes %v still run", left)
	}
}

// Check that cutting a reader's connection makes it connect again, and that it loses
// nothing.
func TestCut(t *testing.T) {
	r, leave := ward(t, quiet)
	a := r.cast[1]
	r.await(t, "reading", func() bool { return a.page.Beat() > 0 })
	if err := a.proc.cut(); errors.Is(err, unix.EPERM) || errors.Is(err, unix.ENOSYS) {
		leave()
		if os.Getenv("NDRING_REQUIRE_ALL") != "" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	for range 5 {
		r.await(t, "a cut", func() bool { return a.proc.cut() == nil })
		beat := a.page.Beat()
		r.await(t, "reading after a cut", func() bool { return a.page.Beat() > beat+1000 })
	}
	if found := leave(); len(found) > 0 {
		t.Errorf("found %v", found)
	}
}

// Check that kills are told by state, those of sleepers by what they slept for.
func TestHits(t *testing.T) {
	var h hits
	h.add(role.Writer, page.Claiming|page.Padded, true, false)
	h.add(role.Writer, page.Written|page.Padded, false, true)
	h.add(role.Reader, page.Waiting, true, false)
	h.add(role.Reader, page.Waiting, false, false)
	var text strings.Builder
	h.write(&text)
	for _, line := range []string{"writer blocked 1 0", "writer written+padding 0 1", "reader parked 1 0", "reader waiting 1 0", "written 1, committed 0, padding 2, group 0, batch 0, blocked 1, parked 1,"} {
		if !strings.Contains(strings.Join(strings.Fields(text.String()), " "), line) {
			t.Errorf("no %q in\n%s", line, &text)
		}
	}
}
