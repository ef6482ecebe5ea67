package command

import (
	"fmt"
	"io"
)

// output is stdout for a program that must not end well when something written there got
// lost: the first error stays, also where whoever writes, such as the help of package
// cli, does not look.
type output struct {
	to  io.Writer
	err error
}

func (o *output) Write(p []byte) (int, error) {
	n, err := o.to.Write(p)
	if err != nil && o.err == nil {
		o.err = fmt.Errorf("write to stdout: %w", err)
	}
	return n, err
}
