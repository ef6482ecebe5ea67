package bridge_test

import (
	"errors"
	"io"
	"sync"
	"testing"

	"github.com/ndring/ndring/ipc/bridge"
)

// talk sends count chunks and checks every answer. Its values tell clients apart.
func talk(c *bridge.Client, client, count, values int) error {
	sent := make(chan error, 1)
	value := func(n, i int) float64 { return float64(client*1_000_000 + n*values + i) }
	go func() {
		x := make([]float64, values)
		for n := range count {
			for i := range x {
				x[i] = value(n, i)
			}
			if err := c.Send(x); err != nil {
				sent <- err
				return
			}
		}
		sent <- c.CloseSend()
	}()
	for n := range count {
		r, err := c.Receive()
		if err != nil {
			return err
		}
		for i, y := range r.Primary {
			if y != value(n, i) {
				return errors.New("a result of another client or chunk")
			}
		}
		if (r.Delta != nil) != (n > 0) {
			return errors.New("DELTA is missing, or came with the first chunk")
		}
	}
	if _, err := c.Receive(); err != io.EOF {
		return errors.Join(errors.New("no end after the last answer"), err)
	}
	return <-sent
}

// Check that fifty clients at once, with chunks of different lengths, get each
// their own results, whole and in order, and then the end.
func TestManyClients(t *testing.T) {
	modes(t, "identity", bridge.Config{}, func(t *testing.T, w *world) {
		const clients = 50
		errs := make([]error, clients)
		var all sync.WaitGroup
		for i := range clients {
			all.Go(func() { errs[i] = talk(w.dial(), i, 200, 1+i%7) })
		}
		all.Wait()
		for i, err := range errs {
			if err != nil {
				t.Errorf("client %d: %v", i, err)
			}
		}
		st := w.bridge.Stats()
		if st.Accepted != clients || st.Chunks != clients*200 || st.Results != clients*399 || st.Refused != 0 {
			t.Errorf("%+v", st)
		}
	})
}

// Check that chunks whose length changes, small to large and back, are answered,
// with a DELTA only after one of the same length.
func TestChangingLengths(t *testing.T) {
	modes(t, "identity", bridge.Config{}, func(t *testing.T, w *world) {
		c := w.dial()
		lengths := []int{5, 5, 8191, 8192, 8192, 20000, 20000, 1, 1, 100000, 3}
		go func() {
			for k, n := range lengths {
				x := make([]float64, n)
				x[n-1] = float64(k)
				_ = c.Send(x)
			}
			_ = c.CloseSend()
		}()
		for k, n := range lengths {
			r, err := c.Receive()
			if err != nil {
				t.Fatalf("chunk %d: %v", k, err)
			}
			if r.Primary[n-1] != float64(k) || (r.Delta != nil) != (k > 0 && lengths[k-1] == n) {
				t.Fatalf("chunk %d: last value %v, DELTA %v", k, r.Primary[n-1], r.Delta != nil)
			}
		}
		if _, err := c.Receive(); err != io.EOF {
			t.Fatal(err)
		}
	})
}

// Check that chunks of the largest size the rings take pass, several in a row and
// of two clients at once.
func TestLargestChunks(t *testing.T) {
	modes(t, "identity", bridge.Config{LimitBytes: 2<<20 - 512}, func(t *testing.T, w *world) {
		n := int(w.bridge.LimitBytes() / 8)
		var all sync.WaitGroup
		for i := range 2 {
			all.Go(func() {
				if err := talk(w.dial(), i, 5, n); err != nil {
					t.Errorf("client %d: %v", i, err)
				}
			})
		}
		all.Wait()
		if st := w.bridge.Stats(); st.Direct == 0 {
			t.Errorf("nothing went straight between socket and ring: %+v", st)
		}
	})
}
