package main

import (
	"errors"
	"fmt"
	"go/ast"
	"go/constant"
	"go/parser"
	"go/token"
	"go/types"
	"path/filepath"
	"regexp"
	"strings"
)

// A sourceFile is one Go file of the contract and its constants, in order.
type sourceFile struct {
	name      string
	constants []namedConstant
}

// A namedConstant is an exported integer constant.
type namedConstant struct {
	goName string
	name   string // in upper case with underscores
	value  uint64
}

// contractFiles hold the constants of the contract.
func contractFiles() []string {
	return []string{"layout.go", "layout_message.go", "message.go", "dtype.go", "seed.go"}
}

type noImports struct{}

func (noImports) Import(string) (*types.Package, error) {
	return nil, errors.New("constants need no imports")
}

// readConstants evaluates the exported constants of the contract in the folder of
// package proto. Functions in these files lack what other files declare; the errors
// about that are of no consequence, a constant without a value is an error.
func readConstants(dir string) ([]sourceFile, error) {
	set := token.NewFileSet()
	var parsed []*ast.File
	for _, name := range contractFiles() {
		f, err := parser.ParseFile(set, filepath.Join(dir, name), nil, 0)
		if err != nil {
			return nil, fmt.Errorf("parse contract: %w", err)
		}
		parsed = append(parsed, f)
	}
	conf := types.Config{Importer: noImports{}, Error: func(error) {}}
	info := &types.Info{Defs: map[*ast.Ident]types.Object{}}
	_, _ = conf.Check("proto", set, parsed, info)

	var files []sourceFile
	for i, f := range parsed {
		file := sourceFile{name: contractFiles()[i]}
		for _, ident := range exportedConstants(f) {
			c, ok := info.Defs[ident].(*types.Const)
			if !ok {
				return nil, fmt.Errorf("%s: %s is not a constant", file.name, ident.Name)
			}
			v, exact := constant.Uint64Val(constant.ToInt(c.Val()))
			if !exact {
				return nil, fmt.Errorf("%s: %s is not an unsigned integer", file.name, ident.Name)
			}
			file.constants = append(file.constants, namedConstant{ident.Name, underscored(ident.Name), v})
		}
		files = append(files, file)
	}
	return files, nil
}

func exportedConstants(f *ast.File) []*ast.Ident {
	var names []*ast.Ident
	for _, d := range f.Decls {
		g, ok := d.(*ast.GenDecl)
		if !ok || g.Tok != token.CONST {
			continue
		}
		for _, s := range g.Specs {
			for _, name := range s.(*ast.ValueSpec).Names {
				if name.IsExported() {
					names = append(names, name)
				}
			}
		}
	}
	return names
}

// underscored turns IdRingID into ID_RING_ID. DType and NDim are one word each.
func underscored(name string) string {
	name = strings.NewReplacer("DType", "Dtype", "NDim", "Ndim").Replace(name)
	name = regexp.MustCompile(`([a-z0-9])([A-Z])`).ReplaceAllString(name, "${1}_${2}")
	name = regexp.MustCompile(`([A-Z])([A-Z][a-z])`).ReplaceAllString(name, "${1}_${2}")
	return strings.ToUpper(name)
}
