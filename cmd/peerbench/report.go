package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/ndring/ndring/cmd/ndring/bench"
)

// A report is what a run has to say.
type report struct {
	machine bench.Machine
	rounds  int
	time    time.Duration // measured of each workload in each round
	chosen  []peer
	figures []bench.Measurement // named PEER.QUANTITY
	skipped []bench.Skip
}

// figure is one cell, or no rounds at all.
func (r report) figure(peer, quantity string) bench.Measurement {
	name := peer + "." + quantity
	i := slices.IndexFunc(r.figures, func(m bench.Measurement) bool { return m.Name == name })
	if i < 0 {
		return bench.Measurement{Name: name}
	}
	return r.figures[i]
}

// ratio says how many times better own is than the other peer, round by
// round: above 1, it is better.
func (r report) ratio(own string, q quantity, other string) bench.Measurement {
	mine, theirs := r.figure(own, q.name), r.figure(other, q.name)
	name := other + "." + q.name
	if q.isTime {
		return bench.Ratio(name, theirs, mine)
	}
	return bench.Ratio(name, mine, theirs)
}

// ratios are the medians of own against every peer but ndring itself, by peer
// and quantity; what was not measured is left out.
func (r report) ratios(own string) map[string]map[string]float64 {
	all := map[string]map[string]float64{}
	for _, p := range r.chosen {
		if isOwn(p.name) {
			continue
		}
		of := map[string]float64{}
		for _, q := range quantities() {
			if m := r.ratio(own, q, p.name); len(m.Rounds) > 0 {
				of[q.name] = m.Median()
			}
		}
		if len(of) > 0 {
			all[p.name] = of
		}
	}
	return all
}

// closest is the peer that comes nearest to ndring in one quantity.
type closest struct {
	Peer  string  `json:"peer"`
	Ratio float64 `json:"ratio"`
}

// least finds, for each quantity, the smallest ratio.
func least(ratios map[string]map[string]float64) map[string]closest {
	found := map[string]closest{}
	for _, peer := range slices.Sorted(maps.Keys(ratios)) {
		for name, ratio := range ratios[peer] {
			if c, ok := found[name]; !ok || ratio < c.Ratio {
				found[name] = closest{peer, ratio}
			}
		}
	}
	return found
}

// writeJSON writes one indented object. ratios hold the ring as it spins by
// default, ratios_park the ring that never spins, ratios_batched the one whose frames
// are collected.
func (r report) writeJSON(w io.Writer) error {
	ratios := r.ratios(ownName)
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	err := encoder.Encode(struct {
		Machine     bench.Machine                 `json:"machine"`
		Versions    map[string]string             `json:"versions"`
		Rounds      int                           `json:"rounds"`
		TimeMs      int64                         `json:"time_ms"`
		Ratios      map[string]map[string]float64 `json:"ratios"`
		RatiosPark  map[string]map[string]float64 `json:"ratios_park"`
		RatiosBatch map[string]map[string]float64 `json:"ratios_batched"`
		Least       map[string]closest            `json:"least"`
		Figures     []bench.Measurement           `json:"figures"`
		Skipped     []bench.Skip                  `json:"skipped"`
	}{
		r.machine, r.versions(), r.rounds, r.time.Milliseconds(), ratios, r.ratios(parkedName), r.ratios(batchName), least(ratios),
		append([]bench.Measurement{}, r.figures...), append([]bench.Skip{}, r.skipped...),
	})
	if err != nil {
		return fmt.Errorf("write the report as JSON: %w", err)
	}
	return nil
}

// versions are those of the modules that were measured, from the binary.
func (r report) versions() map[string]string {
	found := map[string]string{}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return found
	}
	for _, module := range info.Deps {
		used := func(p peer) bool { return p.module == module.Path && p.missing == "" }
		if slices.ContainsFunc(r.chosen, used) {
			found[module.Path] = module.Version
		}
	}
	if p, chosen := findPeer(r.chosen, "zmq"); chosen && p.missing == "" {
		found["libzmq"] = zmqVersion()
	}
	return found
}

// versionLine is all versions in one sentence.
func (r report) versionLine() string {
	versions := r.versions()
	var words []string
	for _, module := range slices.Sorted(maps.Keys(versions)) {
		words = append(words, module+" "+versions[module])
	}
	return cmp.Or(strings.Join(words, ", "), "the standard library alone")
}
