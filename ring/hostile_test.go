package ring_test

import (
	"context"
	"testing"

	"github.com/ndring/ndring/proto"
	"github.com/ndring/ndring/ring"
)

// Check that a first frame whose description has every bit set is refused: it is
// the one that no reader may take for a description it has seen before.
func TestReaderRefusesDescriptionOfOnes(t *testing.T) {
	p := newStill(t, nil)
	p.put(t, 40, 0)
	le.PutUint64(p.at(0)[proto.FrDescribe:], ^uint64(0))
	f, err := p.r.Next(context.Background())
	if err == nil {
		t.Fatalf("frame of %d bytes ending at %d", len(f.Payload()), f.End())
	}
	wantErr(t, err, ring.ErrCorrupt)
	_, err = p.r.Next(context.Background())
	wantErr(t, err, ring.ErrCorrupt)
}

// Check that a reader refuses a position that starts no line, which would have it
// read words across the end of the segment.
func TestReaderRefusesUnalignedPosition(t *testing.T) {
	p := newStill(t, nil)
	_, err := ring.NewReader(p.seg, ring.ReaderConfig{Table: p.table, Position: smallBytes - 4})
	wantErr(t, err, ring.ErrNoPosition)
	_, err = ring.NewStreamReader(p.seg, smallBytes-4, told(smallBytes)).Next(context.Background())
	wantErr(t, err, ring.ErrNoPosition)
}

// told announces one position and drops releases.
type told uint64

func (a told) Await(context.Context, uint64) (uint64, error) { return uint64(a), nil }
func (told) Released(uint64)                                 {}
