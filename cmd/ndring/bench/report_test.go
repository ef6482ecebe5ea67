package bench

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

func sampleReport() Report {
	limit := Measurement{Name: "line_rtt_p50", Unit: "ns", Rounds: []float64{200, 210, 220}}
	figure := Measurement{Name: "ring_rtt_p50", Unit: "ns", Rounds: []float64{240, 252, 264}}
	return Report{
		Machine: Machine{CPU: "a <fast> one", CPUs: 2, Pinned: []int{0, 1}},
		Limits:  []Measurement{limit},
		Figures: []Measurement{figure},
		Ratios:  []Measurement{Ratio("spin_rtt", figure, limit)},
		Skipped: []Skip{{Figure: "fanout", Reason: "one CPU"}},
	}
}

// Check that a machine finds ratios by key and limits and figures with all
// rounds.
func TestReportJSON(t *testing.T) {
	var text bytes.Buffer
	if err := sampleReport().WriteJSON(&text); err != nil {
		t.Fatal(err)
	}
	var got struct {
		Ratios  map[string]float64
		Limits  []struct{ Rounds []float64 }
		Figures []struct{ Median float64 }
		Skipped []Skip
	}
	if err := json.Unmarshal(text.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if got.Ratios["spin_rtt"] != 1.2 || len(got.Limits[0].Rounds) != 3 || got.Figures[0].Median != 252 || len(got.Skipped) != 1 {
		t.Errorf("report is %+v", got)
	}
	if !strings.Contains(text.String(), "a <fast> one") {
		t.Error("text is escaped for HTML")
	}
}

// Check that an empty report holds empty lists and an empty object, no null.
func TestEmptyReportJSON(t *testing.T) {
	var text bytes.Buffer
	if err := (Report{Machine: Machine{Pinned: []int{}}}).WriteJSON(&text); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(text.String(), "null") {
		t.Errorf("report holds null:\n%s", text.String())
	}
}

// Check that the table shows every measurement with median, spread and unit,
// and what was left out.
func TestReportText(t *testing.T) {
	var text bytes.Buffer
	if err := sampleReport().WriteText(&text); err != nil {
		t.Fatal(err)
	}
	lines := map[string][]string{}
	for line := range strings.Lines(text.String()) {
		if words := strings.Fields(line); len(words) > 0 {
			lines[words[0]] = words
		}
	}
	if got := strings.Join(lines["ring_rtt_p50"], " "); got != "ring_rtt_p50 252 2% 240 264 ns 3/3" {
		t.Errorf("row is %q", got)
	}
	if got := strings.Join(lines["spin_rtt"], " "); got != "spin_rtt 1.2 0% 1.2 1.2 × 3/3" {
		t.Errorf("row is %q", got)
	}
	if !strings.Contains(text.String(), "left out: fanout (one CPU)") {
		t.Errorf("skipped figure missing:\n%s", text.String())
	}
}
