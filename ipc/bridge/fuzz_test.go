package bridge_test

import (
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"testing"

	"github.com/ndring/ndring/ipc/bridge"
	"github.com/ndring/ndring/proto"
)

const fuzzLimit = 1 << 12 // bytes of a chunk

// expected is what a bridge with kernel identity answers to bytes, from reading the
// protocol slowly: the payloads of the packets in order, and whether a rule was broken.
func expected(sent []byte) (payloads [][]byte, roles []proto.Role, broken bool) {
	var last []byte
	for len(sent) > 0 {
		if len(sent) < 4 {
			return payloads, roles, true
		}
		n := binary.BigEndian.Uint32(sent)
		if n == 0 || n%8 != 0 || n > fuzzLimit || int(n) > len(sent)-4 {
			return payloads, roles, true
		}
		now := sent[4 : 4+n]
		payloads, roles = append(payloads, now), append(roles, proto.RolePrimary)
		if len(last) == len(now) {
			payloads, roles = append(payloads, now), append(roles, proto.RoleDelta)
		}
		last, sent = now, sent[4+n:]
	}
	return payloads, roles, false
}

// FuzzConversation sends anything to a bridge, in two writes, and half-closes: every
// chunk before the first that breaks a rule is answered, in order and whole, and then
// the bridge closes.
func FuzzConversation(f *testing.F) {
	w := newWorld(f, true, "identity", bridge.Config{LimitBytes: fuzzLimit})
	f.Add(append(chunk(1, 2, 3, 4, 5), chunk(2, 3, 4, 5, 6)...), uint16(7))
	f.Add(append(chunk(1), append(chunk(1, 2), announce(41)...)...), uint16(12))
	f.Add(announce(1<<32-8), uint16(0))
	f.Add(chunk(1, 2, 3)[:20], uint16(4))
	f.Fuzz(func(t *testing.T, sent []byte, cut uint16) {
		w.log.mu.Lock()
		w.log.buf.Reset()
		w.log.mu.Unlock()
		payloads, roles, broken := expected(sent)
		conn, err := net.Dial("tcp", w.addr)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		at := int(cut) % (len(sent) + 1)
		_, err = conn.Write(sent[:at])
		if err == nil {
			_, err = conn.Write(sent[at:])
		}
		if err == nil {
			err = conn.(*net.TCPConn).CloseWrite()
		}
		if err != nil && !broken {
			t.Fatal(err)
		}
		got, err := io.ReadAll(conn)
		if err != nil && !broken {
			t.Fatal(err)
		}
		for i, want := range payloads {
			if len(got) < proto.SeedResultHeadBytes+len(want) {
				if broken && err != nil {
					return // reset by what the bridge left unread
				}
				t.Fatalf("packet %d of %d is missing, %v", i, len(payloads), err)
			}
			h, err := proto.DecodeResultHead(got)
			if err != nil || h.Role != roles[i] {
				t.Fatalf("packet %d: %+v, %v, want role %d", i, h, err, roles[i])
			}
			body := got[proto.SeedResultHeadBytes:][:len(want)]
			if h.Role == proto.RolePrimary && !bytes.Equal(body, want) {
				t.Fatalf("packet %d: % x, want % x", i, body, want)
			}
			got = got[proto.SeedResultHeadBytes+len(want):]
		}
		if len(got) > 0 {
			t.Fatalf("%d bytes behind %d packets", len(got), len(payloads))
		}
	})
}
