package bridge_test

import (
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/ndring/ndring/ipc/bridge"
	"github.com/ndring/ndring/ring/ringtest"
)

func announce(n uint32) []byte { return binary.BigEndian.AppendUint32(nil, n) }

// Check that each chunk that breaks a rule ends its connection after the results
// of the chunks before it, is logged with client, byte count and rule, and touches
// nobody else.
func TestBadChunks(t *testing.T) {
	good := chunk(1, 2, 3, 4, 5)
	for _, c := range []struct {
		name  string
		bytes []byte
		close bool // half-close behind it
		log   []string
	}{
		{"empty", announce(0), false, []string{"bytes=0", "chunk of 0 bytes"}},
		{"not a multiple", announce(41), false, []string{"bytes=41", "not a multiple of 8"}},
		{"over the limit", announce(1 << 20), false, []string{"bytes=1048576", "over the limit of 65536"}},
		{"absurd", announce(1<<32 - 8), false, []string{"bytes=4294967288", "over the limit"}},
		{"another length", announce(48), false, []string{"bytes=48", "this bridge takes 40"}},
		{"cut header", announce(40)[:2], true, []string{"bytes=2", "header cut short after 2 of 4"}},
		{"cut payload", good[:20], true, []string{"bytes=40", "chunk of 40 bytes cut short after 16"}},
		{"no payload", announce(40), true, []string{"bytes=40", "cut short after 0"}},
		{"garbage behind", append(announce(7), bytes.Repeat([]byte("garbage "), 100000)...), false, []string{"bytes=7"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			modes(t, "identity", bridge.Config{LimitBytes: 65536, ExactBytes: 40}, func(t *testing.T, w *world) {
				bystander := w.dial()
				conn := w.raw()
				for range 3 {
					if _, err := conn.Write(good); err != nil {
						t.Fatal(err)
					}
				}
				if _, err := conn.Write(c.bytes); err != nil {
					t.Fatal(err)
				}
				if c.close {
					if err := conn.CloseWrite(); err != nil {
						t.Fatal(err)
					}
				}
				if n, err := answers(conn, 5); n != 3 || err != nil {
					t.Errorf("%d answers before the end, %v", n, err)
				}
				conn.Close()
				if err := talk(bystander, 1, 10, 5); err != nil {
					t.Errorf("bystander: %v", err)
				}
				if err := w.stop(); err != nil {
					t.Error(err)
				}
				log := w.log.String()
				for _, want := range append(c.log, "client="+conn.LocalAddr().String(), "chunk refused") {
					if !strings.Contains(log, want) {
						t.Errorf("%q is missing in:\n%s", want, log)
					}
				}
				if st := w.bridge.Stats(); st.Refused != 1 || st.Clients != 0 {
					t.Errorf("%+v", st)
				}
			})
		})
	}
}

// Check that a large chunk that is cut short or broken off ends alone too.
func TestLargeChunkCutShort(t *testing.T) {
	modes(t, "identity", bridge.Config{}, func(t *testing.T, w *world) {
		for _, reset := range []bool{false, true} {
			conn := w.raw()
			if _, err := conn.Write(append(announce(1<<20), make([]byte, 300000)...)); err != nil {
				t.Fatal(err)
			}
			if reset {
				_ = conn.SetLinger(0)
				conn.Close()
			} else {
				_ = conn.CloseWrite()
				if n, err := answers(conn, 1); n != 0 || err != nil {
					t.Errorf("%d answers, %v", n, err)
				}
			}
		}
		if err := talk(w.dial(), 1, 20, 30000); err != nil {
			t.Error(err)
		}
		if err := w.stop(); err != nil {
			t.Error(err)
		}
		if log := w.log.String(); !strings.Contains(log, "chunk of 1048576 bytes cut short after 300000") {
			t.Errorf("log:\n%s", log)
		}
	})
}

// Check that a client that announces a chunk, small or large, and does not send it
// is ended when its time is over.
func TestProgressDeadline(t *testing.T) {
	modes(t, "identity", bridge.Config{Progress: 30 * time.Millisecond}, func(t *testing.T, w *world) {
		stuck, huge := w.raw(), w.raw()
		_, _ = stuck.Write(chunk(1, 2)[:10])
		_, _ = huge.Write(append(announce(1<<20), make([]byte, 100000)...))
		for _, c := range []net.Conn{stuck, huge} {
			if n, err := answers(c, 1); n != 0 || err != nil {
				t.Errorf("%d answers, %v", n, err)
			}
			c.Close()
		}
		if err := w.stop(); err != nil {
			t.Error(err)
		}
		if log := w.log.String(); strings.Count(log, "did not grow by 64 KiB or end within 30ms") != 2 {
			t.Errorf("log:\n%s", log)
		}
	})
}

// Check that a client that is silent between chunks is ended when that is bounded.
func TestIdleDeadline(t *testing.T) {
	modes(t, "identity", bridge.Config{Idle: 30 * time.Millisecond}, func(t *testing.T, w *world) {
		c := w.raw()
		if _, err := c.Write(chunk(1)); err != nil {
			t.Fatal(err)
		}
		if n, err := answers(c, 1); n != 1 || err != nil {
			t.Errorf("%d answers, %v", n, err)
		}
		c.Close()
		if err := w.stop(); err != nil {
			t.Error(err)
		}
		if log := w.log.String(); !strings.Contains(log, "idle for too long") {
			t.Errorf("log:\n%s", log)
		}
	})
}

// Check that a client beyond the limit is closed at once, and that one may come
// when another has gone.
func TestMaxClients(t *testing.T) {
	modes(t, "identity", bridge.Config{MaxClients: 1}, func(t *testing.T, w *world) {
		first := w.dial()
		if err := first.Send([]float64{1}); err != nil {
			t.Fatal(err)
		}
		if err := first.Flush(); err != nil {
			t.Fatal(err)
		}
		if _, err := first.Receive(); err != nil {
			t.Fatal(err)
		}
		second := w.raw()
		if _, err := second.Read(make([]byte, 1)); !errors.Is(err, io.EOF) && err == nil {
			t.Fatal("a second client is served")
		}
		if err := first.CloseSend(); err != nil {
			t.Fatal(err)
		}
		if _, err := first.Receive(); err != io.EOF {
			t.Fatal(err)
		}
		for {
			c := w.dial()
			if talk(c, 3, 3, 5) == nil {
				break
			}
		}
		if st := w.bridge.Stats(); st.TurnedAway == 0 {
			t.Errorf("%+v", st)
		}
	})
}

// Check that a bridge is refused without anything to answer chunks, with limits
// its rings cannot hold, or with rings that drop.
func TestNewRefuses(t *testing.T) {
	to, from := ringtest.New(t, "to", 1<<16), ringtest.New(t, "from", 1<<16)
	k := newKernel(t, "identity")
	sink, source := to, from.AttachOldest(t)
	for i, cfg := range []bridge.Config{
		{}, {To: sink}, {From: source}, {To: sink, From: source, Kernel: k},
		{To: sink, From: source, LimitBytes: 16384},
		{Kernel: k, ExactBytes: 41}, {Kernel: k, LimitBytes: 80, ExactBytes: 88},
		{Kernel: k, LimitBytes: 1 << 32},
	} {
		if _, err := bridge.New(cfg); !errors.Is(err, bridge.ErrConfig) {
			t.Errorf("%d: %v", i, err)
		}
	}
}

// Check which addresses a bridge may listen on, and that TLS without client
// certificates does not open it to other hosts.
func TestCheckAddress(t *testing.T) {
	anybody, known := &tls.Config{}, &tls.Config{ClientAuth: tls.RequireAndVerifyClientCert}
	asked := &tls.Config{ClientAuth: tls.VerifyClientCertIfGiven}
	for _, c := range []struct {
		addr     string
		tls      *tls.Config
		insecure bool
		ok       bool
	}{
		{"127.0.0.1:5000", nil, false, true}, {"[::1]:5000", nil, false, true}, {"localhost:0", nil, false, true},
		{"127.8.9.1:1", nil, false, true}, {"127.0.0.1:1", anybody, false, true},
		{":5000", nil, false, false}, {"0.0.0.0:5000", nil, false, false}, {"192.0.2.1:5000", nil, false, false},
		{"[::]:1", nil, false, false}, {"example.org:1", nil, false, false},
		{":5000", anybody, false, false}, {":5000", asked, false, false}, {":5000", known, false, true},
		{"0.0.0.0:5000", nil, true, true}, {":5000", anybody, true, true}, {"127.0.0.1", known, true, false},
	} {
		if err := bridge.CheckAddress(c.addr, c.tls, c.insecure); (err == nil) != c.ok {
			t.Errorf("%+v: %v", c, err)
		}
	}
}
