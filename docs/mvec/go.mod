module github.com/ndring/ndring/docs/mvec

go 1.26.0

require github.com/ndring/ndring v0.0.0

require golang.org/x/sys v0.49.0 // indirect

replace github.com/ndring/ndring => ../..
