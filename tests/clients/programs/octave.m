% What GNU Octave's own `load` makes of states files: octave.m DATASET FILE.
arguments = argv();
s = load(arguments{2});
part = s;
for name = strsplit(arguments{1}, "/")
  part = part.(name{1});
endfor
printf("shape %s\n", num2str(size(part)));
if (ndims(part) == 3)
  printf("value %.9g\n", part(3, 2, 1));
else
  printf("value %.9g\n", part(3, 2));
endif
printf("lengths %s\n", num2str(s.lengths(:)'));
printf("ids %s\n", strjoin(cellfun(@deblank, cellstr(s.ids)', "UniformOutput", false), "|"));
printf("sums %s\n", num2str(size(s.integrity.sums, 1:3)));
