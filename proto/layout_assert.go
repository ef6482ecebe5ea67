package proto

// Each index must be the constant 0: a line fails to compile when an offset of
// the published layout moves.
var (
	zero [1]struct{}

	_ = zero[IdRingID-64]
	_ = zero[IdSchemaShape-128]
	_ = zero[IdName-192]
	_ = zero[IdMeta-384]
	_ = zero[IdCRC-16368]
	_ = zero[IdReady+8-IdentityBytes]
	_ = zero[WrLimit-128]
	_ = zero[WrTail-256]
	_ = zero[WrDropped-384]
	_ = zero[WrMarks-1024]
	_ = zero[TbReadersParked-128]
	_ = zero[TbWriterParked-256]
	_ = zero[SlName+MaxNameBytes-128]
	_ = zero[SlCursor-256]
	_ = zero[SlParked-384]
	_ = zero[BaseBytes-24]
	_ = zero[FrShape-LineBytes]
	_ = zero[NoteBytes-16]
	_ = zero[HelloBytes-128]
	_ = zero[WelcomeBytes-128]
)
