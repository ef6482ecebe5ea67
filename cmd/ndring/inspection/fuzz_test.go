package inspection

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/ndring/ndring/ipc"
	"github.com/ndring/ndring/proto"
)

// FuzzInspect looks at the files of a ring that were changed anywhere. An edit takes 11
// bytes of the input: the file, a word of it, and what the word becomes.
func FuzzInspect(f *testing.F) {
	dir := f.TempDir()
	f.Setenv("NDRING_DIR", dir)
	if err := os.Chmod(dir, 0o700); err != nil {
		f.Fatal(err)
	}
	segment, table := filesOfRing(f, dir)
	edit := func(file byte, word uint16, value uint64) []byte {
		b := binary.LittleEndian.AppendUint16([]byte{file}, word)
		return binary.LittleEndian.AppendUint64(b, value)
	}
	f.Add([]byte{})
	f.Add(edit(0, uint16((proto.IdentityBytes+proto.WrTail)/8), 1<<40))
	f.Add(edit(0, uint16((proto.IdentityBytes+proto.WrLimit)/8), 1<<62))
	f.Add(edit(0, uint16(proto.DataOffset/8)+2, ^uint64(0)))
	f.Add(edit(0, uint16(proto.IdCapacity/8), 1<<50))
	f.Add(edit(1, uint16(proto.TableHeadBytes/8), ^uint64(0)))
	f.Fuzz(func(t *testing.T, script []byte) {
		s, tab := bytes.Clone(segment), bytes.Clone(table)
		for ; len(script) >= 11; script = script[11:] {
			to := s
			if script[0]%4 == 1 {
				to = tab
			}
			at := int(binary.LittleEndian.Uint16(script[1:])) % (len(to) / 8) * 8
			copy(to[at:at+8], script[3:11])
		}
		for name, b := range map[string][]byte{"y.ring": s, "y.readers": tab} {
			if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		r, err := Inspect(ctx, "y", Options{Frames: 5, Values: 3})
		if ctx.Err() != nil {
			t.Fatal("looks for ever")
		}
		if err != nil {
			return
		}
		if err := r.Text(io.Discard, time.Unix(1<<31, 0)); err != nil {
			t.Fatal(err)
		}
	})
}

// filesOfRing are the bytes of a ring with frames and a reader, taken while it lives.
func filesOfRing(f *testing.F, dir string) (segment, table []byte) {
	f.Helper()
	ctx, cancel := context.WithCancel(f.Context())
	w, err := ipc.Listen(ctx, "x", ipc.WriterConfig{Capacity: proto.MinCapacityBytes, Slots: 4, FreeRun: true})
	if err != nil {
		f.Fatal(err)
	}
	r, err := ipc.Dial(ctx, "x", ipc.ReaderConfig{})
	if err != nil {
		f.Fatal(err)
	}
	for i := range 100 {
		c, err := w.Claim(ctx, proto.F64, 1+i%7, 2)
		if err != nil {
			f.Fatal(err)
		}
		c.Commit()
	}
	if segment, err = os.ReadFile(filepath.Join(dir, "x.ring")); err != nil {
		f.Fatal(err)
	}
	if table, err = os.ReadFile(filepath.Join(dir, "x.readers")); err != nil {
		f.Fatal(err)
	}
	cancel()
	_ = r.Close()
	_ = w.Close(ctx)
	return segment, table
}
