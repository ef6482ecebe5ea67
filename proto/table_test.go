package proto

import (
	"bytes"
	"fmt"
	"testing"
)

// Check each table of testdata/table.txt: its head and slots or which error, and
// that encoding the result gives the same bytes.
func TestTableVectors(t *testing.T) {
	eachVector(t, "table.txt", func(t *testing.T, v vector) {
		stored := v.image(t, 0)
		head, err := DecodeTableHead(stored)
		if v.failed(t, err) {
			return
		}
		v.want(t, "major", uint64(head.Major))
		v.want(t, "minor", uint64(head.Minor))
		v.want(t, "slots", uint64(head.Slots))
		v.want(t, "epoch", head.Epoch)
		wantRingID(t, &v, head.RingID)
		dst := make([]byte, TableHeadBytes)
		head.Encode(dst)
		if !bytes.Equal(dst, stored[:TableHeadBytes]) {
			t.Errorf("head encodes to\n%x", dst)
		}
		for i, want := range v.fields["slot"] {
			wantSlot(t, stored[TableHeadBytes+i*SlotBytes:][:SlotBytes], i, want)
		}
	})
}

func wantSlot(t *testing.T, stored []byte, i int, want string) {
	t.Helper()
	s := DecodeSlot(stored)
	name := s.Name
	if name == "" {
		name = "-"
	}
	got := fmt.Sprintf("%d %d %d %d %d %d %d %d %d %s", i, s.State, s.Generation, s.PID, s.Wake, s.KeepMs, s.EvictMs, s.Start, s.AttachedNs, name)
	if got != want {
		t.Errorf("slot is %s, want %s", got, want)
	}
	if s.State > SlotEvicted {
		return // no encoder stores it
	}
	dst := make([]byte, SlotBytes)
	s.Encode(dst)
	if state := le.Uint64(dst[SlState:]); state != 0 {
		t.Errorf("slot %d: state word %#x is stored by Encode, the caller stores it last", i, state)
	}
	le.PutUint64(dst[SlState:], s.StateWord())
	if !bytes.Equal(dst, stored) {
		t.Errorf("slot %d encodes to\n%x, stored is\n%x", i, dst, stored)
	}
}

// Check that describing a slot leaves the reader's half alone: its cursor and
// parked word are the reader's to store.
func TestSlotEncodeKeepsReaderWords(t *testing.T) {
	slot := bytes.Repeat([]byte{0xee}, SlotBytes)
	(&SlotInfo{State: SlotActive, Name: "x"}).Encode(slot)
	if !bytes.Equal(slot[SlName+MaxNameBytes:], bytes.Repeat([]byte{0xee}, SlotBytes-SlName-MaxNameBytes)) {
		t.Errorf("bytes behind the name changed: %x", slot[SlName+MaxNameBytes:])
	}
}
