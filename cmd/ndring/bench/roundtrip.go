package bench

// warmUpOf is how many round trips precede n timed ones.
func warmUpOf(n int) int { return n/10 + 1 }

// timeRoundTrips is collectRoundTrips with the quantiles of the times.
func (s *Side) timeRoundTrips(warmUp, timed int, turn func() error) (Quantiles, error) {
	timesNs, err := s.collectRoundTrips(warmUp, timed, turn)
	if err != nil {
		return Quantiles{}, err
	}
	return NewQuantiles(timesNs)
}

// collectRoundTrips meets the other sides, calls turn warmUp times and then
// timed times, and returns how long each of the timed ones took. The clock is read
// once a turn, the end of one being the start of the next, so that the times
// add up to the whole; they are kept as they are until the last turn is over.
func (s *Side) collectRoundTrips(warmUp, timed int, turn func() error) ([]float64, error) {
	clock := newTickClock()
	readings := make([]uint64, timed+1)
	clear(readings) // faults the pages in
	s.Meet()
	for range warmUp {
		if err := turn(); err != nil {
			return nil, err
		}
	}
	readings[0] = clock.now()
	for i := 1; i <= timed; i++ {
		if err := turn(); err != nil {
			return nil, err
		}
		readings[i] = clock.now()
	}
	timesNs := make([]float64, timed)
	for i := range timesNs {
		timesNs[i] = clock.ns(readings[i+1]-readings[i]) + clock.spread(i)
	}
	return timesNs, nil
}
