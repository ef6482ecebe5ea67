package bench

import "slices"

// ratio says which of a run's measurements make one of the ratios.
type ratio struct {
	key         string
	numerator   string
	denominator string // empty: the numerator is the figure itself
}

// ratios are all of them, in the order of the report. Those of latencies compare
// medians over all round trips, round by round.
func ratios() []ratio {
	return []ratio{
		{"spin_rtt", "spinning_rtt_40B_p50", "line_rtt_p50"},
		{"park_rtt_one_cpu", "parked_rtt_one_cpu_p50", "seqpacket_rtt_one_cpu_p50"},
		{"park_rtt_two_cpus", "parked_rtt_two_cpus_p50", "seqpacket_rtt_two_cpus_p50"},
		{"small_rate_single", "frames_40B_touched", "slot_ring_rate"},
		{"small_rate_batch", "frames_40B_touched_batch", "slot_ring_rate"},
		{"flat_size", "handover_64MiB_p50", "handover_64B_p50"},
		{"fill_sum", "frames_1MiB_touched_bytes", "shared_fill_sum"},
		{"fanout_16", "fanout_16_writer", "fanout_1_writer"},
		{"arcsec_1e5_ns", "arcsec_1e5", ""},
		{"arcsec_5_ns", "arcsec_5", ""},
		{"bridge_vs_tcp_echo", "bridge_rtt_p50", "tcp_echo_rtt_p50"},
		{"bridge_chunks_per_s", "bridge_chunks", ""},
	}
}

// choice is a ratio that is one of two: the better or the worse.
type choice struct {
	key    string
	of     [2]string
	better func(a, b float64) bool
}

func choices() []choice {
	return []choice{
		{"park_rtt", [2]string{"park_rtt_one_cpu", "park_rtt_two_cpus"}, func(a, b float64) bool { return a > b }},
		{"small_rate", [2]string{"small_rate_single", "small_rate_batch"}, func(a, b float64) bool { return a > b }},
	}
}

// Ratios computes every ratio; one that lacks a measurement has no rounds, and
// hence null for its median.
func (r Results) Ratios() []Measurement {
	var all []Measurement
	for _, q := range ratios() {
		all = append(all, r.ratio(q))
	}
	for _, c := range choices() {
		all = append(all, c.from(all))
	}
	return all
}

func (r Results) ratio(q ratio) Measurement {
	numerator, _ := r.Find(q.numerator)
	if q.denominator == "" {
		numerator.Name = q.key
		return numerator
	}
	denominator, _ := r.Find(q.denominator)
	return Ratio(q.key, numerator, denominator)
}

// from is the chosen one of two ratios under the choice's own key.
func (c choice) from(all []Measurement) Measurement {
	pick := func(key string) Measurement {
		return all[slices.IndexFunc(all, func(m Measurement) bool { return m.Name == key })]
	}
	m, other := pick(c.of[0]), pick(c.of[1])
	if len(m.Rounds) == 0 || len(other.Rounds) > 0 && c.better(other.Median(), m.Median()) {
		m = other
	}
	m.Name = c.key
	return m
}
