package quantity

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/ndring/ndring/proto"
)

// ParseShape reads extents separated by commas or "x", as in 5 or 3,224,224. An
// empty string and "()" are the shape of a single number. The error wraps
// proto.ErrShape.
func ParseShape(s string) ([]int, error) {
	text := strings.Trim(strings.TrimSpace(s), "()[]")
	if text == "" {
		return []int{}, nil
	}
	parts := strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == 'x' })
	if len(parts) > proto.MaxDims {
		return nil, fmt.Errorf("shape %q has %d dimensions, at most %d: %w", s, len(parts), proto.MaxDims, proto.ErrShape)
	}
	shape := make([]int, 0, len(parts))
	for _, p := range parts {
		n, err := strconv.Atoi(strings.TrimSpace(p))
		if err != nil || n < 0 {
			return nil, fmt.Errorf("shape %q: extent %q is not a number from 0 up; give extents as in 3,224,224: %w", s, p, proto.ErrShape)
		}
		shape = append(shape, n)
	}
	if len(shape) == 0 {
		return nil, fmt.Errorf("shape %q has no extents; give them as in 3,224,224: %w", s, proto.ErrShape)
	}
	return shape, nil
}

// Numbers reads a list of numbers separated by commas.
func Numbers(s string) ([]float64, error) {
	var list []float64
	for _, p := range strings.Split(s, ",") {
		x, err := strconv.ParseFloat(strings.TrimSpace(p), 64)
		if err != nil {
			return nil, fmt.Errorf("list %q: %q is not a number", s, strings.TrimSpace(p))
		}
		list = append(list, x)
	}
	return list, nil
}
