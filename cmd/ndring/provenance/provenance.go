package provenance

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/ndring/ndring/kernel"
)

// ErrUnknown is returned when a ring's metadata does not say how to recompute its
// frames.
var ErrUnknown = errors.New("frames cannot be recomputed")

// Provenance is the metadata of a ring made by this program.
type Provenance struct {
	Source Source `json:"source"`
	Chain  []Step `json:"chain,omitempty"`
}

// Step is one stage.
type Step struct {
	Kernel  string    `json:"kernel"`
	Fx      []float64 `json:"fx,omitempty"`
	Fy      []float64 `json:"fy,omitempty"`
	Scale   float64   `json:"scale,omitempty"`
	Offset  float64   `json:"offset,omitempty"`
	NoDelta bool      `json:"no_delta,omitempty"`
}

// Params are the step's parameters for the kernel registry.
func (s Step) Params() kernel.Params {
	return kernel.Params{Model: kernel.Model{Fx: s.Fx, Fy: s.Fy}, Scale: s.Scale, Offset: s.Offset}
}

// Parse reads a ring's metadata. The error wraps ErrUnknown.
func Parse(meta []byte) (Provenance, error) {
	var p Provenance
	if len(meta) == 0 {
		return p, fmt.Errorf("the ring has no metadata: %w", ErrUnknown)
	}
	if err := json.Unmarshal(meta, &p); err != nil {
		return p, fmt.Errorf("the ring's metadata is not ours: %w: %w", ErrUnknown, err)
	}
	if p.Source.Kind == "" {
		return p, fmt.Errorf("the ring's metadata names no source: %w", ErrUnknown)
	}
	return p, nil
}

// Encode returns the metadata of a ring.
func (p Provenance) Encode() []byte {
	b, err := json.Marshal(p)
	if err != nil {
		panic(err) // numbers and strings only; NaN parameters are refused before
	}
	return b
}

// Then is the provenance after another stage.
func (p Provenance) Then(s Step) Provenance {
	p.Chain = append(append([]Step{}, p.Chain...), s)
	return p
}
