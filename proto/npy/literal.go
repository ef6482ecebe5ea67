package npy

import (
	"fmt"
	"math/bits"

	"github.com/ndring/ndring/proto"
)

// literal is what a header's dict says.
type literal struct {
	descr   string
	fortran bool
	ndim    int
	shape   [proto.MaxDims]uint64
}

// scanner reads the one kind of Python literal that headers are made of:
//
//	dict  = "{" [ pair { "," pair } [ "," ] ] "}"
//	pair  = string ":" ( string | "True" | "False" | tuple )
//	tuple = "(" ")" | "(" int "," ")" | "(" int { "," int } [ "," ] ")"
//
// with blanks between tokens. Strings hold no escapes.
type scanner struct {
	text   string
	at     int
	suffix bool // integers may end in L, as Python 2 wrote them
}

// parseLiteral reads the header text; blanks may surround the dict.
func parseLiteral(text string, suffix bool) (literal, error) {
	s := scanner{text: text, suffix: suffix}
	var l literal
	seen := map[string]bool{}
	if !s.accept('{') {
		return l, s.expected(`"{"`)
	}
	for !s.accept('}') {
		key, err := s.quoted()
		if err != nil {
			return l, err
		}
		if seen[key] {
			return l, fmt.Errorf("%w: key %q stands twice", ErrHeader, key)
		}
		seen[key] = true
		if !s.accept(':') {
			return l, s.expected(`":"`)
		}
		if err := s.value(key, &l); err != nil {
			return l, err
		}
		if !s.accept(',') && s.peek() != '}' {
			return l, s.expected(`"," or "}"`)
		}
	}
	if s.peek() != 0 || s.at < len(s.text) {
		return l, s.expected("nothing more")
	}
	for _, key := range []string{"descr", "fortran_order", "shape"} {
		if !seen[key] {
			return l, fmt.Errorf("%w: key %q is missing", ErrHeader, key)
		}
	}
	return l, nil
}

// value reads the value of a key into l.
func (s *scanner) value(key string, l *literal) (err error) {
	switch key {
	case "descr":
		if s.peek() == '[' {
			return fmt.Errorf("%w: structured arrays are not supported, save the fields one by one", ErrDType)
		}
		l.descr, err = s.quoted()
	case "fortran_order":
		l.fortran, err = s.boolean()
	case "shape":
		err = s.tuple(l)
	default:
		err = fmt.Errorf("%w: unknown key %q", ErrHeader, key)
	}
	return err
}

// peek skips blanks and returns the next byte, 0 at the end.
func (s *scanner) peek() byte {
	for s.at < len(s.text) {
		switch c := s.text[s.at]; c {
		case ' ', '\t', '\n', '\r', '\f':
			s.at++
		default:
			return c
		}
	}
	return 0
}

func (s *scanner) accept(c byte) bool {
	if s.peek() != c {
		return false
	}
	s.at++
	return true
}

func (s *scanner) quoted() (string, error) {
	quote := s.peek()
	if quote != '\'' && quote != '"' {
		return "", s.expected("a string")
	}
	for end := s.at + 1; end < len(s.text); end++ {
		switch c := s.text[end]; {
		case c == quote:
			v := s.text[s.at+1 : end]
			s.at = end + 1
			return v, nil
		case c == '\\' || c < ' ':
			s.at = end
			return "", s.expected("a string without escapes")
		}
	}
	return "", s.expected("a string that ends")
}

func (s *scanner) boolean() (bool, error) {
	s.peek()
	end := s.at
	for end < len(s.text) && (s.text[end]|0x20 >= 'a' && s.text[end]|0x20 <= 'z') {
		end++
	}
	switch s.text[s.at:end] {
	case "True":
		s.at = end
		return true, nil
	case "False":
		s.at = end
		return false, nil
	}
	return false, s.expected("True or False")
}

// tuple reads the shape. "(5)" is a number in Python, not a tuple.
func (s *scanner) tuple(l *literal) error {
	if !s.accept('(') {
		return s.expected("a tuple")
	}
	comma := true
	for !s.accept(')') {
		if !comma {
			return s.expected(`"," or ")"`)
		}
		n, err := s.integer()
		if err != nil {
			return err
		}
		if l.ndim == proto.MaxDims {
			return fmt.Errorf("%w: more than %d dimensions", proto.ErrShape, proto.MaxDims)
		}
		l.shape[l.ndim] = n
		l.ndim++
		comma = s.accept(',')
	}
	if l.ndim == 1 && !comma {
		return fmt.Errorf(`%w: shape "(%d)" is no tuple, "(%d,)" is`, ErrHeader, l.shape[0], l.shape[0])
	}
	return nil
}

func (s *scanner) integer() (uint64, error) {
	s.peek()
	start, n := s.at, uint64(0)
	for s.at < len(s.text) && s.text[s.at] >= '0' && s.text[s.at] <= '9' {
		hi, lo := bits.Mul64(n, 10)
		sum, carry := bits.Add64(lo, uint64(s.text[s.at]-'0'), 0)
		if hi != 0 || carry != 0 {
			return 0, fmt.Errorf("%w: dimension %.32s… exceeds 64 bits", proto.ErrShape, s.text[start:])
		}
		n = sum
		s.at++
	}
	if s.at == start {
		return 0, s.expected("an integer of at least 0")
	}
	if s.text[start] == '0' && s.at > start+1 {
		s.at = start
		return 0, s.expected("an integer without leading zeros")
	}
	if s.suffix && s.at < len(s.text) && s.text[s.at] == 'L' {
		s.at++
	}
	return n, nil
}

// expected says what was wanted, where, and what stands there.
func (s *scanner) expected(what string) error {
	return fmt.Errorf("%w: byte %d: %s expected, found %.20q", ErrHeader, s.at, what, s.text[min(s.at, len(s.text)):])
}
