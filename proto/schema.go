package proto

import "fmt"

// Schema is what the creator declares about every data frame of the ring. The
// zero DType leaves the type open; NDim AnyNDim leaves the shape open, and a
// dimension of AnyDim its extent.
type Schema struct {
	DType DType
	NDim  uint8
	Shape [MaxDims]uint64
}

func (s *Schema) check() error {
	if s.DType != 0 && !s.DType.Valid() {
		return fmt.Errorf("schema dtype code %d: %w", s.DType, ErrDType)
	}
	if s.NDim != AnyNDim && s.NDim > MaxDims {
		return fmt.Errorf("schema of %d dimensions, at most %d: %w", s.NDim, MaxDims, ErrShape)
	}
	if s.NDim != AnyNDim && s.DType == 0 {
		return fmt.Errorf("schema has a shape but no dtype: %w", ErrShape)
	}
	return nil
}

// Admit reports whether an array of dt and shape satisfies the schema. The error
// wraps ErrShape, or ErrDType, and names both sides.
func (s *Schema) Admit(dt DType, shape []uint64) error {
	if s.DType != 0 && s.DType != dt {
		return fmt.Errorf("dtype %v, the ring is declared %v: %w", dt, s.DType, ErrDType)
	}
	if s.NDim == AnyNDim {
		return nil
	}
	if int(s.NDim) != len(shape) {
		return fmt.Errorf("shape %v, the ring is declared with %d dimensions: %w", shape, s.NDim, ErrShape)
	}
	for i, n := range shape {
		if s.Shape[i] != AnyDim && s.Shape[i] != n {
			return fmt.Errorf("shape %v, dimension %d of the ring is declared %d: %w", shape, i, s.Shape[i], ErrShape)
		}
	}
	return nil
}
