//go:build linux

package ipc

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"

	"github.com/ndring/ndring/proto"
)

// ringFile is a ring's memory as a process sees it that takes no part in the ring: by
// plain reads and writes of the file that others map.
type ringFile struct {
	t  *testing.T
	f  *os.File
	id proto.Identity
}

func openRing(t *testing.T, dir string) *ringFile {
	t.Helper()
	f, err := os.OpenFile(filepath.Join(dir, "x.ring"), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	id, err := readIdentity(f)
	if err != nil {
		t.Fatal(err)
	}
	return &ringFile{t: t, f: f, id: id}
}

func (r *ringFile) read(off, n uint64) []byte {
	r.t.Helper()
	b := make([]byte, n)
	if _, err := r.f.ReadAt(b, int64(off)); err != nil {
		r.t.Fatal(err)
	}
	return b
}

func (r *ringFile) word(off uint64) uint64 {
	r.t.Helper()
	return binary.LittleEndian.Uint64(r.read(off, 8))
}

func (r *ringFile) store(off, v uint64) {
	r.t.Helper()
	if _, err := r.f.WriteAt(binary.LittleEndian.AppendUint64(nil, v), int64(off)); err != nil {
		r.t.Fatal(err)
	}
}

// at is where the byte of a position lies in the file.
func (r *ringFile) at(position uint64) uint64 {
	return r.id.DataOff + position&(r.id.Capacity-1)
}

// commit is the commit word at position.
func (r *ringFile) commit(position uint64) uint64 { return r.word(r.at(position)) }

// of is a word of the writer's.
func (r *ringFile) of(word uint64) uint64 { return r.word(r.id.WriterOff + word) }

func (r *ringFile) data() []byte { return r.read(r.id.DataOff, r.id.Capacity) }

func (r *ringFile) wantCommit(position, want uint64) {
	r.t.Helper()
	if got := r.commit(position); got != want {
		r.t.Errorf("commit word at position %d is %#x, want %#x", position, got, want)
	}
}

// frameBytes is the size of an inline frame of n bytes.
func frameBytes(n int) uint64 {
	return (proto.BaseBytes + uint64(n) + proto.LineBytes - 1) &^ (proto.LineBytes - 1)
}
