import { useState } from 'preact/hooks';
import { useInsight } from '../state/insight.ts';
import { go } from '../state/route.ts';

const SUGGESTED = 12;

/** Leads to a company by its id; suggests as one types. */
export function CompanyChooser() {
  const [typed, setTyped] = useState('');
  const found = useInsight('companies', { search: typed.trim(), limit: SUGGESTED });
  const ids = found.answer?.rows.map((row) => row.companyID) ?? [];
  const open = (text: string) => {
    const only = ids.length === 1 ? ids[0] : undefined;
    const companyID = ids.find((id) => id.toLowerCase() === text.toLowerCase()) ?? only ?? text;
    if (companyID !== '') go('jobs', companyID);
  };
  return (
    <form
      class="choose"
      onSubmit={(event) => {
        event.preventDefault();
        open(typed.trim());
      }}
    >
      <label>
        Company
        <input
          type="search"
          list="companies-found"
          autoComplete="off"
          placeholder="comp_4"
          value={typed}
          maxLength={128}
          onInput={(event) => setTyped(event.currentTarget.value)}
        />
      </label>
      <datalist id="companies-found">
        {ids.map((id) => (
          <option key={id} value={id} />
        ))}
      </datalist>
      <button type="submit">Open</button>
    </form>
  );
}
