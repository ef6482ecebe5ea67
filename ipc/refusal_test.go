//go:build linux

package ipc

import (
	"errors"
	"testing"

	"github.com/ndring/ndring/proto"
	"github.com/ndring/ndring/ring"
)

// Check that a refusal is the error that its code names, and a refusal besides.
func TestRefusalNames(t *testing.T) {
	for code, want := range map[proto.Code]error{
		proto.CodeVersion: proto.ErrVersion, proto.CodeNameInUse: ErrNameInUse, proto.CodeTableFull: ring.ErrTableFull,
		proto.CodePosition: ring.ErrNoPosition, proto.CodeDenied: ErrDenied, proto.CodeClosing: ErrRefused,
	} {
		err := error(&RefusedError{Code: code})
		if !errors.Is(err, want) || !errors.Is(err, ErrRefused) || code != proto.CodeDenied && errors.Is(err, ErrDenied) {
			t.Errorf("code %d is not %v: %v", code, want, err)
		}
	}
}
