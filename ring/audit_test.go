package ring_test

import (
	"math/rand/v2"
	"testing"

	"github.com/ndring/ndring/proto"
	"github.com/ndring/ndring/ring"
)

// Check that nothing is found in what a writer does, at whatever position it started,
// nor in what its successor takes over.
func TestAuditSound(t *testing.T) {
	seed := rand.Uint64()
	rnd := rand.New(rand.NewPCG(seed, 4))
	for _, start := range []uint64{0, 1<<63 - smallBytes/2, 1<<64 - smallBytes/2} {
		p := newStill(t, startAt(start))
		sound := func(p *pair) {
			t.Helper()
			if found := p.seg.Audit(p.table); len(found) > 0 {
				t.Fatalf("seed %d: %+v", seed, found)
			}
		}
		sound(p)
		for n := range uint64(300) {
			p.put(t, rnd.IntN(4000), n)
			sound(p)
			next(t, p.r)
			if err := p.r.Release(); err != nil {
				t.Fatal(err)
			}
			if n%50 == 0 {
				sound(p.mustRevive(t, true))
			}
		}
		p.w.Finish()
		sound(p)
	}
}

// Check that each rule is found broken, and by its name.
func TestAuditFinds(t *testing.T) {
	for name, c := range map[string]struct {
		rule   string
		damage func(p *pair, tail uint64)
	}{
		"tail off the lines":     {"tail", func(p *pair, tail uint64) { setWriterWord(p.mem, proto.WrTail, tail+8) }},
		"tail before the start":  {"tail", func(p *pair, tail uint64) { setWriterWord(p.mem, proto.WrTail, p.seg.Identity().Start-64) }},
		"tail in a frame":        {"tail", func(p *pair, tail uint64) { setWriterWord(p.mem, proto.WrTail, tail-64) }},
		"limit far ahead":        {"limit", func(p *pair, tail uint64) { setWriterWord(p.mem, proto.WrLimit, tail+smallBytes+64) }},
		"limit below the tail":   {"limit", func(p *pair, tail uint64) { setWriterWord(p.mem, proto.WrLimit, tail-64) }},
		"header":                 {"frame", func(p *pair, tail uint64) { p.at(tail - 128)[proto.FrDescribe+6] = 99 }},
		"number":                 {"number", func(p *pair, tail uint64) { p.at(tail - 128)[proto.FrNumber]++ }},
		"word behind the frames": {"end", func(p *pair, tail uint64) { le.PutUint64(p.at(p.seg.Tail()), 7) }},
		"count":                  {"number", func(p *pair, tail uint64) { setWriterWord(p.mem, proto.WrNumber, 1<<40) }},
		"final position":         {"final", func(p *pair, tail uint64) { setWriterWord(p.mem, proto.WrFinal, tail-128|1) }},
		"mark":                   {"mark", func(p *pair, tail uint64) { setWriterWord(p.mem, proto.WrMarks+8, 1024+64) }},
		"cursor off the lines":   {"cursor", func(p *pair, tail uint64) { p.setCursor(0, tail+8) }},
		"cursor given up":        {"cursor", func(p *pair, tail uint64) { p.setCursor(0, tail-smallBytes) }},
		"slot state":             {"slot", func(p *pair, tail uint64) { p.tab[proto.TableHeadBytes+proto.SlState] = 9 }},
		"slot generation":        {"slot", func(p *pair, tail uint64) { p.tab[proto.TableHeadBytes+proto.SlState+4] = 0 }},
	} {
		p := newStill(t, nil)
		for n := uint64(0); n < 40; n++ {
			p.put(t, 100, n) // two lines each
		}
		tail := p.seg.State().Tail
		if found := p.seg.Audit(p.table); len(found) > 0 {
			t.Fatalf("%s: before the damage: %+v", name, found)
		}
		c.damage(p, tail)
		found := p.seg.Audit(p.table)
		if !broken(found, c.rule) {
			t.Errorf("%s: found %+v, want rule %s", name, found, c.rule)
		}
	}
}

func broken(found []ring.Finding, rule string) bool {
	for _, f := range found {
		if f.Rule == rule {
			return true
		}
	}
	return false
}
