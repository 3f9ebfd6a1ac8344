// What h5wasm makes of states files: node h5wasm.mjs DATASET FILE; H5WASM names the folder of the package.
const { default: h5wasm } = await import(`${process.env.H5WASM ?? "h5wasm"}/dist/node/hdf5_hl.js`);
await h5wasm.ready;
const [name, path] = process.argv.slice(2);
const file = new h5wasm.File(path, "r");
const cell = file.get(name);
console.log("shape", cell.shape.join(" "));
console.log("axes", cell.attrs.axes.value);
console.log("value", cell.shape.length === 3 ? cell.slice([[0, 1], [1, 2], [2, 3]])[0] : cell.slice([[1, 2], [2, 3]])[0]);
console.log("lengths", Array.from(file.get("lengths").value).join(" "));
console.log("sums", file.get("integrity/sums").shape.join(" "));
console.log("ids", file.get("ids").value.join("|"));
