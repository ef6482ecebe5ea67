package main

import (
	"encoding/binary"
	"errors"
	"io"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc/mem"

	"github.com/ndring/ndring/cmd/ndring/bench"
)

// pipePair joins two links of this process by pipes.
func pipePair(t *testing.T) (a, b *byteStream) {
	t.Helper()
	forthReader, forthWriter, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	backReader, backWriter, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	a = newByteStream(backReader, forthWriter, backReader, forthWriter)
	b = newByteStream(forthReader, backWriter, forthReader, backWriter)
	t.Cleanup(func() { a.close(); b.close() })
	return a, b
}

// spoiled sends one frame other than it was told to.
type spoiled struct {
	link
	at    int // the send that spoil takes the place of, from 1
	spoil func(l link, frame []byte) error
	sends int
	frame []byte
}

func (s *spoiled) buffer(n int) ([]byte, error) {
	frame, err := s.link.buffer(n)
	s.frame = frame
	return frame, err
}

func (s *spoiled) send() error {
	if s.sends++; s.sends == s.at {
		return s.spoil(s.link, s.frame)
	}
	return s.link.send()
}

// Check that a receiver notices a frame that is lost, doubled, cut short or
// changed: a figure of a transport that delivers other frames is worth nothing.
func TestReceiverNoticesSpoiledFrames(t *testing.T) {
	for _, c := range []struct {
		name  string
		kind  kind
		spoil func(l link, frame []byte) error
	}{
		{"lost", oneWay, func(link, []byte) error { return nil }},
		{"doubled", oneWay, func(l link, _ []byte) error { return errors.Join(l.send(), l.send()) }},
		{"changed", fillSum, func(l link, frame []byte) error { frame[len(frame)-1] ^= 1; return l.send() }},
		{"short", oneWay, func(l link, frame []byte) error {
			short, err := l.buffer(len(frame) - 8)
			return errors.Join(err, sendShort(l, short))
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, b := pipePair(t)
			work := task{Kind: c.kind, FrameBytes: 64, Time: time.Second}
			sender := make(chan error, 1)
			go func() {
				_, err := measure(&spoiled{link: a, at: 2, spoil: c.spoil}, 0, work)
				a.close() // the receiver may wait for more
				sender <- err
			}()
			_, err := measure(b, 1, work)
			if !errors.Is(err, bench.ErrMismatch) {
				t.Errorf("the receiver returns %v, want ErrMismatch", err)
			}
			b.close()
			if err := <-sender; err == nil {
				t.Error("the sender of a spoiled frame succeeds")
			}
		})
	}
}

func sendShort(l link, frame []byte) error {
	setNumber(frame, 2)
	return l.send()
}

// Check that whoever called notices an answer to another call.
func TestCallerNoticesWrongAnswer(t *testing.T) {
	a, b := pipePair(t)
	go func() {
		for n := uint64(2); ; n++ { // one ahead
			if _, err := b.receive(); err != nil {
				return
			}
			if sendNumber(b, n, 64) != nil {
				return
			}
		}
	}()
	_, err := measure(a, 0, task{Kind: roundTrip, FrameBytes: 64, Time: time.Second})
	if !errors.Is(err, bench.ErrMismatch) {
		t.Errorf("the caller returns %v, want ErrMismatch", err)
	}
}

// inFlight counts the frames between its two ends that are no credits.
type inFlight struct {
	link
	now, most *atomic.Int64
	frame     []byte
}

func (c *inFlight) buffer(n int) ([]byte, error) {
	frame, err := c.link.buffer(n)
	c.frame = frame
	return frame, err
}

func (c *inFlight) send() error {
	if number(c.frame) != creditFlag {
		now := c.now.Add(1)
		for most := c.most.Load(); now > most && !c.most.CompareAndSwap(most, now); most = c.most.Load() {
		}
	}
	return c.link.send()
}

func (c *inFlight) receive() ([]byte, error) {
	frame, err := c.link.receive()
	if err == nil && number(frame) != creditFlag {
		c.now.Add(-1)
	}
	return frame, err
}

// Check that with credit no more than a window is under way, where the pipe
// alone would hold hundreds, and that the work comes to its end.
func TestCreditBoundsWhatIsUnderWay(t *testing.T) {
	const window = 16
	for _, k := range []kind{oneWay, roundTrip} {
		a, b := pipePair(t)
		var now, most atomic.Int64
		work := task{Kind: k, FrameBytes: 64, Time: 2 * time.Millisecond}
		receiver := make(chan error, 1)
		go func() {
			_, err := measure(withCredit(&inFlight{link: b, now: &now, most: &most}, window), 1, work)
			receiver <- err
		}()
		_, err := measure(withCredit(&inFlight{link: a, now: &now, most: &most}, window), 0, work)
		if err = errors.Join(err, <-receiver); err != nil {
			t.Fatal(err)
		}
		if most.Load() > window {
			t.Errorf("%s: %d frames under way, the window is %d", k, most.Load(), window)
		}
	}
}

// Check that frames are collected until flush, and then arrive in order.
func TestCollectedFramesLeaveWithFlush(t *testing.T) {
	a, b := pipePair(t)
	writes := countedWrites{w: a.w}
	collected := withCollector(a, &writes)
	for n := range uint64(100) {
		frame, err := collected.buffer(64)
		if err != nil {
			t.Fatal(err)
		}
		setNumber(frame, n)
		if err := collected.send(); err != nil {
			t.Fatal(err)
		}
	}
	if writes.n != 0 {
		t.Fatalf("%d writes before the flush", writes.n)
	}
	if err := collected.flush(); err != nil || writes.n != 1 {
		t.Fatalf("%d writes with the flush, %v", writes.n, err)
	}
	for n := range uint64(100) {
		if err := expect(b, n, 64); err != nil {
			t.Fatal(err)
		}
	}
}

type countedWrites struct {
	w io.Writer
	n int
}

func (c *countedWrites) Write(b []byte) (int, error) {
	c.n++
	return c.w.Write(b)
}

// Check that a length no frame has is refused before memory is taken for it.
func TestByteStreamRefusesLengths(t *testing.T) {
	for _, n := range []uint32{0, 7, 1<<30 + 1, 1<<32 - 1} {
		a, b := pipePair(t)
		if _, err := a.w.Write(binary.LittleEndian.AppendUint32(nil, n)); err != nil {
			t.Fatal(err)
		}
		if _, err := b.receive(); !errors.Is(err, bench.ErrMismatch) {
			t.Errorf("a frame of %d bytes gives %v", n, err)
		}
	}
}

// Check that a view is refused where no float64 may lie.
func TestFloat64sRefuses(t *testing.T) {
	frame := make([]byte, 64)
	for _, b := range [][]byte{nil, frame[:7], frame[1:], frame[4:]} {
		if v, err := float64s(b); err == nil {
			t.Errorf("%d bytes, %d past a boundary, give %d elements", len(b), misalignment(b), len(v))
		}
	}
	if v, err := float64s(frame[8:31]); err != nil || len(v) != 2 {
		t.Errorf("23 bytes give %d elements, %v", len(v), err)
	}
}

// Check that the codec copies what it encodes, since a sender goes on to fill
// the same memory, and refuses what is no message.
func TestRawCodec(t *testing.T) {
	sent := message{frame: make([]byte, 64<<10)}
	encoded, err := rawCodec{}.Marshal(&sent)
	if err != nil {
		t.Fatal(err)
	}
	sent.frame[17] = 1
	var got message
	if err := (rawCodec{}).Unmarshal(encoded, &got); err != nil || len(got.frame) != len(sent.frame) || got.frame[17] != 0 {
		t.Errorf("decoded %d bytes, %v", len(got.frame), err)
	}
	if _, err := (rawCodec{}).Marshal("frame"); err == nil {
		t.Error("a string is encoded")
	}
	if err := (rawCodec{}).Unmarshal(mem.BufferSlice{}, new(string)); err == nil {
		t.Error("a string is decoded into")
	}
}
