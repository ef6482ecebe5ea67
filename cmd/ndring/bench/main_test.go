package bench

import (
	"fmt"
	"maps"
	"os"
	"testing"
)

// TestMain makes this test binary the program of its sides.
func TestMain(m *testing.M) {
	if !Assigned() {
		os.Exit(m.Run())
	}
	roles := Roles()
	maps.Copy(roles, testRoles())
	if err := Serve(roles, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// testHost is a host whose sides are this test binary.
func testHost(t *testing.T) *Host {
	t.Helper()
	host, err := NewHost()
	if err != nil {
		t.Fatal(err)
	}
	return host
}
