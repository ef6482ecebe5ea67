package main

// credited bounds how many frames are under way over a link that would rather
// lose them, hang up or fall back to something slower than hold the sender
// up. The receiver returns a credit for every half window.
type credited struct {
	link
	half     int // frames a credit stands for
	sent     int // since the last credit was used up
	received int // since the last credit was given
}

// withCredit bounds l to window frames in each direction.
func withCredit(l link, window int) *credited {
	return &credited{link: l, half: max(1, window/2)}
}

func (c *credited) send() error {
	for c.sent >= 2*c.half {
		frame, err := c.link.receive()
		if err != nil {
			return err
		}
		if number(frame) != creditFlag {
			return errNumber(number(frame), creditFlag)
		}
		c.sent -= c.half
	}
	c.sent++
	return c.link.send()
}

func (c *credited) receive() ([]byte, error) {
	if c.received == c.half {
		c.received = 0
		if err := c.giveCredit(); err != nil {
			return nil, err
		}
	}
	for {
		frame, err := c.link.receive()
		if err != nil {
			return nil, err
		}
		if number(frame) == creditFlag {
			c.sent -= c.half
			continue
		}
		c.received++
		return frame, nil
	}
}

// giveCredit goes past the own send: a credit needs none itself.
func (c *credited) giveCredit() error {
	return sendNumber(c.link, creditFlag, numberBytes)
}
