package bridge_test

import (
	"encoding/hex"
	"encoding/json"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/ndring/ndring/ipc/bridge"
	"github.com/ndring/ndring/proto"
)

const conversationFile = "../../proto/testdata/seed-conversation.json"

type packet struct {
	Seq     uint32
	Type    proto.Role
	Payload string
}

func conversation(t *testing.T) (frames []struct {
	Send string
	Recv []packet
}) {
	t.Helper()
	raw, err := os.ReadFile(conversationFile)
	if err != nil {
		t.Fatal(err)
	}
	var whole struct {
		Frames []struct {
			Send string
			Recv []packet
		}
	}
	if err := json.Unmarshal(raw, &whole); err != nil {
		t.Fatal(err)
	}
	return whole.Frames
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	p, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// ulps is how many float64 lie between a and b, of the same sign.
func ulps(a, b float64) int64 {
	return max(int64(math.Float64bits(a)-math.Float64bits(b)), int64(math.Float64bits(b)-math.Float64bits(a)))
}

// Check that the recorded conversation of the first version of this system is
// answered as it was then: headers exact, PRIMARY to 4 ulp, DELTA the difference
// of the PRIMARY received, bit for bit, each chunk being answered before the next.
func TestSeedConversation(t *testing.T) {
	modes(t, "arcsec", bridge.Config{ExactBytes: 40}, func(t *testing.T, w *world) {
		c := w.raw()
		var current, before []float64
		for _, f := range conversation(t) {
			if _, err := c.Write(unhex(t, f.Send)); err != nil {
				t.Fatal(err)
			}
			for _, p := range f.Recv {
				want := unhex(t, p.Payload)
				got := make([]byte, proto.SeedResultHeadBytes+len(want))
				if _, err := io.ReadFull(c, got); err != nil {
					t.Fatal(err)
				}
				h, err := proto.DecodeResultHead(got)
				if err != nil || h.Sequence != p.Seq || h.Role != p.Type {
					t.Fatalf("header %+v, %v, want %d and %d", h, err, p.Seq, p.Type)
				}
				if now := uint64(time.Now().UnixNano()); h.TimeNs > now || now-h.TimeNs > uint64(time.Hour) {
					t.Errorf("time %d, it is %d", h.TimeNs, now)
				}
				y := floats(got[proto.SeedResultHeadBytes:])
				if h.Role == proto.RolePrimary {
					for i, v := range floats(want) {
						if d := ulps(v, y[i]); d > 4 {
							t.Errorf("sequence %d, value %d: %v, want %v, %d ulp", p.Seq, i, y[i], v, d)
						}
					}
					before, current = current, y
					continue
				}
				for i, d := range y {
					if want := current[i] - before[i]; math.Float64bits(d) != math.Float64bits(want) {
						t.Errorf("sequence %d, value %d: DELTA %v, want %v", p.Seq, i, d, want)
					}
				}
			}
		}
	})
}

// Check that a client written from the protocol's description alone, in Python,
// finds everything as described, also when fifty of them talk at once.
func TestPythonClient(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		const say = "needs python3: apt-get install python3"
		if os.Getenv("NDRING_REQUIRE_ALL") == "1" {
			t.Fatal(say)
		}
		t.Skip(say)
	}
	script, err := filepath.Abs("testdata/seedclient.py")
	if err != nil {
		t.Fatal(err)
	}
	modes(t, "arcsec", bridge.Config{}, func(t *testing.T, w *world) {
		var all sync.WaitGroup
		for range 2 {
			all.Go(func() {
				out, err := exec.Command(python, script, w.addr, conversationFile, "25").CombinedOutput()
				if err != nil {
					t.Errorf("%v: %s", err, out)
				}
			})
		}
		all.Wait()
	})
}
