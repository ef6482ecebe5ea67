package bench

// Floors are the limits ndring is held against, at the size of a full run.
func Floors() []Figure {
	return []Figure{
		LineRoundTrip{RoundTrips: 200_000},
		SocketRoundTrip{RoundTrips: 10_000, Placement: Together},
		SocketRoundTrip{RoundTrips: 5_000, Placement: Apart},
		SlotRing{Frames: 8_000_000},
		SharedFillSum{BufferBytes: 1 << 20, Passes: 400},
		SharedCopy{BufferBytes: 1 << 20, Passes: 400},
	}
}

// FloorRoles are the parts that the processes of the floors play, to be given
// to Serve together with those of other figures.
func FloorRoles() map[string]Role {
	return map[string]Role{
		roleLine:    lineSide,
		roleSocket:  socketSide,
		roleSlots:   slotSide,
		roleFillSum: fillSumSide,
		roleCopy:    copySide,
	}
}

var (
	_ Figure = LineRoundTrip{}
	_ Figure = SocketRoundTrip{}
	_ Figure = SlotRing{}
	_ Figure = SharedFillSum{}
	_ Figure = SharedCopy{}
)
