package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ndring/ndring/cmd/ndring/bench"
)

// testReport has ndring at 1 µs and 100 frames a second, a peer ten times
// slower in both and one twenty times.
func testReport() report {
	r := report{rounds: 3, time: time.Second, chosen: []peer{
		{name: ownName}, {name: parkedName}, {name: batchName}, {name: "near"}, {name: "far"}, {name: "absent", missing: "install it"}}}
	add := func(peer string, factor float64) {
		times := []float64{1000 * factor, 2000 * factor, 500 * factor} // rounds of different speed
		rates := []float64{100 / factor, 50 / factor, 200 / factor}
		r.figures = append(r.figures,
			bench.Measurement{Name: peer + ".rtt_64B_p50", Rounds: times},
			bench.Measurement{Name: peer + "." + smallRate, Rounds: rates})
	}
	add(ownName, 1)
	add(parkedName, 2)
	add(batchName, 0.5)
	add("near", 10)
	add("far", 20)
	r.skipped = []bench.Skip{{Figure: "absent", Reason: "install it"}}
	return r
}

// Check that a ratio above 1 means that ndring is better, for times as for
// rates, and that peers, the closest one and what was left out are named.
func TestReportJSON(t *testing.T) {
	var b bytes.Buffer
	if err := testReport().writeJSON(&b); err != nil {
		t.Fatal(err)
	}
	var got struct {
		Ratios      map[string]map[string]float64
		RatiosPark  map[string]map[string]float64 `json:"ratios_park"`
		RatiosBatch map[string]map[string]float64 `json:"ratios_batched"`
		Least       map[string]closest
		Figures     []struct{ Name string }
		Skipped     []bench.Skip
	}
	if err := json.Unmarshal(b.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	for _, quantity := range []string{"rtt_64B_p50", smallRate} {
		if got.Ratios["near"][quantity] != 10 || got.Ratios["far"][quantity] != 20 || got.RatiosPark["near"][quantity] != 5 || got.RatiosBatch["near"][quantity] != 20 {
			t.Errorf("%s: ratios %v, parked %v, batched %v", quantity, got.Ratios, got.RatiosPark, got.RatiosBatch)
		}
		if got.Least[quantity] != (closest{"near", 10}) {
			t.Errorf("%s: the closest is %v", quantity, got.Least[quantity])
		}
	}
	if len(got.Ratios) != 2 {
		t.Errorf("ratios against %v", got.Ratios)
	}
	if len(got.Figures) != 10 || len(got.Skipped) != 1 {
		t.Errorf("%d figures, %v left out", len(got.Figures), got.Skipped)
	}
}

// Check that an empty report is JSON with lists and objects, not null.
func TestReportJSONWithoutFigures(t *testing.T) {
	var b bytes.Buffer
	if err := (report{}).writeJSON(&b); err != nil {
		t.Fatal(err)
	}
	var got map[string]json.RawMessage
	if err := json.Unmarshal(b.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"ratios", "ratios_park", "ratios_batched", "least", "figures", "skipped", "versions"} {
		if v := string(got[key]); v != "[]" && v != "{}" {
			t.Errorf("%s is %s", key, v)
		}
	}
}

// Check that the table for people has a row a peer, units, the ratio of both
// ways of waiting, and the reason of what was left out.
func TestReportText(t *testing.T) {
	var b bytes.Buffer
	if err := testReport().writeText(&b); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"1 µs", "20 µs", "10 ×", "(5 ×; 20 ×)", "left out: absent (install it)"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("%q is missing in\n%s", want, b.String())
		}
	}
	if strings.Contains(b.String(), "\nabsent") {
		t.Error("a peer that is missing has a row")
	}
}

// Check that tables replace those of the run before and nothing else.
func TestUpdateMarkdownTwice(t *testing.T) {
	path := filepath.Join(t.TempDir(), "peers.md")
	document := "before\n" + tablesBegin + "\nold\n" + tablesEnd + "\nafter\n"
	if err := os.WriteFile(path, []byte(document), 0o600); err != nil {
		t.Fatal(err)
	}
	var texts [2]string
	for i := range texts {
		if err := testReport().updateMarkdown(path); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		texts[i] = string(text)
	}
	if texts[0] != texts[1] {
		t.Error("the second time changes the document")
	}
	if !strings.HasPrefix(texts[0], "before\n") || !strings.HasSuffix(texts[0], "\nafter\n") ||
		strings.Contains(texts[0], "old") || !strings.Contains(texts[0], "| near |") {
		t.Errorf("the document is\n%s", texts[0])
	}
}

// Check that a document without a place for the tables is refused before the run.
func TestDocumentIsLookedAtFirst(t *testing.T) {
	path := filepath.Join(t.TempDir(), "peers.md")
	if err := os.WriteFile(path, []byte(tablesBegin+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]error{path: errNoPlace, path + "x": os.ErrNotExist} {
		var out bytes.Buffer
		if err := run(t.Context(), []string{"-rounds", "1", "-markdown", path}, &out, &out); !errors.Is(err, want) || out.Len() > 0 {
			t.Errorf("%v in place of %v, after %q", err, want, out.String())
		}
	}
	if err := checkMarkdown(os.DevNull); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("the check of a device, which may have no end, says %v", err)
	}
}

// Check that a document without a place for the tables stays as it is.
func TestSpliceTablesNeedsBothLines(t *testing.T) {
	for _, document := range []string{"", tablesBegin + "\n", tablesEnd + "\n", tablesEnd + "\n" + tablesBegin + "\n"} {
		if got, err := spliceTables([]byte(document), "tables"); !errors.Is(err, errNoPlace) {
			t.Errorf("%q becomes %q, %v", document, got, err)
		}
	}
}

// Check that the document of this repository has a place for the tables and
// says of every peer what it does for a frame.
func TestDocumentDescribesEveryPeer(t *testing.T) {
	document, err := os.ReadFile("../../docs/peers.md")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := spliceTables(document, ""); err != nil {
		t.Error(err)
	}
	for _, p := range peers() {
		if want := "| `" + p.name + "` | " + p.does + " |"; !bytes.Contains(document, []byte(want)) {
			t.Errorf("docs/peers.md lacks the line\n%s", want)
		}
	}
}
