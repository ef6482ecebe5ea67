package provenance

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"

	"github.com/ndring/ndring/kernel"
	"github.com/ndring/ndring/proto"
)

var (
	// ErrUnknown is returned when a ring's metadata does not say how to recompute
	// its frames.
	ErrUnknown = errors.New("frames cannot be recomputed")
	// ErrDiffers is returned when a frame does not hold what was recomputed.
	ErrDiffers = errors.New("frame differs from what was recomputed")
	// ErrGap is returned when frames are missing or out of order.
	ErrGap = errors.New("frames are missing or out of order")
)

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
	// Abridged says that fx and fy were left out to fit the ring's metadata.
	Abridged bool `json:"abridged,omitempty"`
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

// Encode returns the metadata of a ring. Models are left out where they make it
// longer than a ring can hold; such a ring's frames cannot be recomputed.
func (p Provenance) Encode() ([]byte, error) {
	b, err := json.Marshal(p)
	if err != nil {
		return nil, fmt.Errorf("encode metadata: %w", err)
	}
	if len(b) <= proto.MaxMetaBytes {
		return b, nil
	}
	short := Provenance{Source: p.Source}
	for _, s := range p.Chain {
		if len(s.Fx)+len(s.Fy) > 0 {
			s.Fx, s.Fy, s.Abridged = nil, nil, true
		}
		short = short.Then(s)
	}
	if b, err = json.Marshal(short); err == nil && len(b) > proto.MaxMetaBytes {
		err = fmt.Errorf("%d stages: %w", len(p.Chain), ErrUnknown)
	}
	if err != nil {
		return nil, fmt.Errorf("encode metadata: %w", err)
	}
	return b, nil
}

// Join is the provenance of a ring fed from several others: theirs if all agree,
// and an unknown source otherwise.
func Join(all []Provenance) Provenance {
	for _, p := range all[1:] {
		if !reflect.DeepEqual(p, all[0]) {
			return Provenance{Source: Source{Kind: KindMixed}}
		}
	}
	return all[0]
}

// Then is the provenance after another stage.
func (p Provenance) Then(s Step) Provenance {
	p.Chain = append(append([]Step{}, p.Chain...), s)
	return p
}
