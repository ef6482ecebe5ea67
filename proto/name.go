package proto

import "fmt"

// CheckName reports whether name can name a ring or a reader: 1 to MaxNameBytes
// bytes of ASCII letters, digits, '.', '_' and '-', not starting with '.' or
// '-'. The error wraps ErrName.
func CheckName(name string) error {
	if name == "" {
		return fmt.Errorf("name is empty: %w", ErrName)
	}
	if len(name) > MaxNameBytes {
		return fmt.Errorf("name %q has %d bytes, at most %d: %w", name, len(name), MaxNameBytes, ErrName)
	}
	if name[0] == '.' || name[0] == '-' {
		return fmt.Errorf("name %q starts with %q: %w", name, name[0], ErrName)
	}
	for i := range len(name) {
		if !nameByte(name[i]) {
			return fmt.Errorf("name %q holds %q; use letters, digits, '.', '_' and '-': %w", name, name[i], ErrName)
		}
	}
	return nil
}

func nameByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' ||
		c == '.' || c == '_' || c == '-'
}

// putName stores name in a field of MaxNameBytes bytes, zero-filled.
func putName(dst []byte, name string) {
	clear(dst[copy(dst[:MaxNameBytes], name):MaxNameBytes])
}

// fieldName reads a zero-filled name field; bytes after the first zero are ignored.
func fieldName(src []byte) string {
	for i, c := range src[:MaxNameBytes] {
		if c == 0 {
			return string(src[:i])
		}
	}
	return string(src[:MaxNameBytes])
}
